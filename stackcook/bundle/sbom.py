"""The software bill of materials of a bundle, as SPDX 2.3 in JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from urllib.parse import quote
from uuid import uuid4

from stackcook import __version__


@dataclass(frozen=True)
class Component:
    """A piece of software: ``kind`` is the type of its package URL: deb, gem, generic.

    ``namespace`` is that of the package URL, such as ``debian``; ``sha256`` may be empty.
    """

    kind: str
    name: str
    version: str
    sha256: str = ""
    namespace: str = ""
    architecture: str = ""

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
    """The document; ``name`` is what the components make up."""
    packages = [
        {
            "SPDXID": f"SPDXRef-{number}",
            "name": each.name,
            "versionInfo": each.version,
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False,
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
            "created": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
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
    return json.dumps(document, indent=1) + "\n"
