"""Software bills of materials: SPDX 2.3 and CycloneDX 1.5, in JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from stackcook import __version__
from stackcook.bundle.licenses import alternatives, spdx_id


@dataclass(frozen=True)
class Component:
    """A piece of software: ``kind`` is the type of its package URL: deb, gem, pypi, generic.

    ``namespace`` is that of the package URL, such as ``debian``; ``sha256`` may be empty.
    ``licenses`` are names as it declares them, or ``A or B``; empty if unknown.
    """

    kind: str
    name: str
    version: str
    sha256: str = ""
    namespace: str = ""
    architecture: str = ""
    licenses: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """Its package URL, such as ``pkg:deb/debian/ruby@1%3A3.3?arch=amd64``."""
        path = "/".join(quote(part, safe="") for part in (self.namespace, self.name) if part)
        version = quote(self.version, safe="")
        return f"pkg:{self.kind}/{path}@{version}" + (
            f"?arch={self.architecture}" if self.architecture else ""
        )


def deb(stanza: str) -> Component:
    """The component that a stanza of a Packages file describes."""
    fields = dict(re.findall(r"^(Package|Version|Architecture|SHA256): (.*)$", stanza, re.M))
    names = (fields["Package"], fields["Version"], fields["SHA256"])
    return Component("deb", *names, "debian", fields["Architecture"])


def spdx(name: str, components: Iterable[Component]) -> str:
    """The document in SPDX; ``name`` is what the components make up."""
    references = dict[str, str]()
    packages = [
        {
            "SPDXID": f"SPDXRef-{number}",
            "name": each.name,
            "versionInfo": each.version,
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": _expression(each.licenses, references),
            "copyrightText": "NOASSERTION",
            **(
                {"checksums": [{"algorithm": "SHA256", "checksumValue": each.sha256}]}
                if each.sha256
                else {}
            ),
            "externalRefs": [
                {
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": each.url,
                }
            ],
        }
        for number, each in enumerate(components, 1)
    ]
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"urn:uuid:{uuid4()}",
        "creationInfo": {
            "created": _now(),
            "creators": [f"Tool: stackcook-{__version__}"],
        },
        "packages": packages,
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": package["SPDXID"],
            }
            for package in packages
        ],
    }
    if references:
        document["hasExtractedLicensingInfos"] = [
            {"licenseId": reference, "name": text, "extractedText": f"declared as: {text}"}
            for reference, text in references.items()
        ]
    return json.dumps(document, indent=1) + "\n"


def _expression(licenses: Sequence[str], references: dict[str, str]) -> str:
    """The licenses as SPDX has them; ``references`` gets names that SPDX does not have."""
    groups: dict[str, None] = {}
    for declared in licenses:
        for names in alternatives(declared):
            ids = dict.fromkeys(spdx_id(name) or _reference(name, references) for name in names)
            groups[f"({' OR '.join(ids)})" if len(ids) > 1 else "".join(ids)] = None
    return " AND ".join(groups) or "NOASSERTION"


def _reference(name: str, references: dict[str, str]) -> str:
    # The plus would get lost, and GPL-2+ is not GPL-2.
    plain = re.sub(r"[^A-Za-z0-9.]+", "-", name.replace("+", "-or-later")).strip("-")
    reference = f"LicenseRef-{plain}"
    references.setdefault(reference, name)
    return reference


def cyclonedx(name: str, components: Iterable[Component]) -> str:
    """The document in CycloneDX; ``name`` is what the components make up."""
    stackcook = {"type": "application", "name": "stackcook", "version": __version__}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid4()}",
        "version": 1,
        "metadata": {
            "timestamp": _now(),
            "tools": {"components": [stackcook]},
            "component": {"type": "application", "bom-ref": "root", "name": name},
        },
        "components": [_cyclonedx(each) for each in components],
    }
    return json.dumps(document, indent=1) + "\n"


def _cyclonedx(component: Component) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": component.url,
        "name": component.name,
        "version": component.version,
        "purl": component.url,
    }
    if component.sha256:
        found["hashes"] = [{"alg": "SHA-256", "content": component.sha256}]
    if component.licenses:
        ids = dict.fromkeys((spdx_id(name), name) for name in component.licenses)
        found["licenses"] = [{"license": {"id": i} if i else {"name": n}} for i, n in ids]
    return found


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
