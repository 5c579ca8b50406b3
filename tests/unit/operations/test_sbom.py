"""``stackcook sbom``: what is listed, and the documents that other programs read."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from stackcook.bundle.sbom import Component, cyclonedx, spdx
from stackcook.cli import sbom as command
from stackcook.cli.main import cli
from stackcook.client import LOCK, gems
from stackcook.command import Command, Completed
from stackcook.errors import NodeError, Position
from stackcook.manifest.model import MachineKind, Manifest, Node
from stackcook.operations import sbom
from stackcook.operations.site import Site
from stackcook.remote.base import Host
from stackcook.run.events import RunStarted
from stackcook.run.state import State
from tests.output import data

PRINTED = """\
installed\truby\t1:3.1\tall\t\t, ruby3.1 (>= 3.1), libc6
installed\truby3.1\t3.1.2\tamd64\truby-interpreter\t
installed\tlibc6\t2.36\tamd64\t\t
installed\tmawk\t1.3\tamd64\tawk\tlibc6 (>= 2)
installed\tshells\t1\tall\t\t, awk | gawk, zsh:any
installed\tother\t1\tall\t\t
config-files\tzsh\t5\tamd64\t\t

ruby/copyright:Format: 1.0
ruby/copyright:License: BSD-2-clause or Ruby
libc6/copyright:License: in words
"""
RUBY = Component("deb", "ruby", "1:3.1", "", "debian", "all", ("BSD-2-clause or Ruby",))


def test_packages_and_what_they_need() -> None:
    found = [*sbom.packages(PRINTED, ["ruby"])]
    assert [each.name for each in found] == ["libc6", "ruby", "ruby3.1"]
    assert found[1] == RUBY and found[0].licenses == ()
    assert [each.name for each in sbom.packages(PRINTED, ["shells"])] == ["libc6", "mawk", "shells"]


def test_all_packages_of_a_node() -> None:
    names = {each.name for each in sbom.packages(PRINTED)}
    assert names == {"ruby", "ruby3.1", "libc6", "mawk", "shells", "other"}


def test_the_packages_of_this_machine() -> None:
    done = subprocess.run(["sh", "-c", sbom.DPKG], capture_output=True, text=True, check=True)
    found = {each.name: each for each in sbom.packages(done.stdout, ["bash"])}
    assert {"bash", "libc6"} <= found.keys()
    version = ["dpkg-query", "-Wf", "${Version}", "bash"]
    assert found["bash"].version == subprocess.run(version, capture_output=True, text=True).stdout


def test_gems_have_the_licences_of_those_that_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "stackcook/gems/key/specifications"
    folder.mkdir(parents=True)
    version = gems()["chef"]
    (folder / f"chef-{version}.gemspec").write_text('  s.licenses = ["Apache-2.0".freeze]\n')
    found = {each.name: each for each in sbom.gems([LOCK])}
    assert {name: each.version for name, each in found.items()} == gems()
    assert found["chef"].licenses == ("Apache-2.0",) and found["mixlib-log"].licenses == ()


def test_python_libraries_and_what_they_need() -> None:
    found = {each.name: each for each in sbom.libraries()}
    assert {"stackcook", "click", "jinja2", "pyyaml", "paramiko"} <= found.keys()
    assert found["stackcook"].licenses == ("Apache-2.0",)
    assert "pytest" not in found


COMPONENTS = (
    RUBY,
    Component("gem", "chef", "18.10", licenses=("Apache-2.0",)),
    Component("deb", "boost", "1+2", "ab" * 32, "debian", "amd64", ("GPL-2+", "public-domain")),
    Component("pypi", "rich", "13"),
)
_TEXT = {"type": "string", "minLength": 1}
_TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}


def _object(more: bool = False, **fields: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": fields,
        "required": [name for name, field in fields.items() if "default" not in field],
        "additionalProperties": more,
    }


def _list(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1, "uniqueItems": True}


_LICENSE = {"anyOf": [_object(id=_TEXT), _object(name=_TEXT)]}
CYCLONEDX = _object(
    bomFormat={"const": "CycloneDX"},
    specVersion={"const": "1.5"},
    serialNumber={
        "type": "string",
        "pattern": "^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
    },
    version={"type": "integer", "minimum": 1},
    metadata=_object(True, timestamp=_TIME),
    components=_list(
        _object(
            **{"bom-ref": _TEXT},
            type={"enum": ["application", "library"]},
            name=_TEXT,
            version=_TEXT,
            purl=_TEXT,
            licenses={**_list(_object(license=_LICENSE)), "default": None},
            hashes={"default": None},
        )
    ),
)
"""What CycloneDX 1.5 asks for, of what is used here."""

SPDX = _object(
    spdxVersion={"const": "SPDX-2.3"},
    dataLicense={"const": "CC0-1.0"},
    SPDXID={"const": "SPDXRef-DOCUMENT"},
    name=_TEXT,
    documentNamespace=_TEXT,
    creationInfo=_object(created=_TIME, creators=_list(_TEXT)),
    packages=_list(
        _object(
            True,
            SPDXID={"type": "string", "pattern": "^SPDXRef-[A-Za-z0-9.-]+$"},
            name=_TEXT,
            downloadLocation=_TEXT,
            licenseDeclared=_TEXT,
        )
    ),
    relationships=_list(
        _object(spdxElementId=_TEXT, relationshipType=_TEXT, relatedSpdxElement=_TEXT)
    ),
    hasExtractedLicensingInfos=_list(
        _object(
            licenseId={"type": "string", "pattern": "^LicenseRef-[A-Za-z0-9.-]+$"},
            name=_TEXT,
            extractedText=_TEXT,
        )
    ),
)
"""What SPDX 2.3 asks for, of what is used here."""


def test_cyclonedx() -> None:
    document = json.loads(cyclonedx("all", COMPONENTS))
    jsonschema.validate(document, CYCLONEDX)
    ruby, chef, boost, rich = document["components"]
    assert ruby["purl"] == "pkg:deb/debian/ruby@1%3A3.1?arch=all"
    assert ruby["licenses"] == [{"license": {"name": "BSD-2-clause or Ruby"}}]
    assert chef["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert boost["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert "licenses" not in rich


def test_spdx() -> None:
    document = json.loads(spdx("all", COMPONENTS))
    jsonschema.validate(document, SPDX)
    assert [each["licenseDeclared"] for each in document["packages"]] == [
        "(BSD-2-Clause OR Ruby)",
        "Apache-2.0",
        "GPL-2.0-or-later AND LicenseRef-public-domain",
        "NOASSERTION",
    ]
    (reference,) = document["hasExtractedLicensingInfos"]
    assert reference["name"] == "public-domain"


def test_every_reference_of_this_machine_is_explained() -> None:
    done = CliRunner().invoke(cli, ["sbom", "--format", "spdx"])
    document = json.loads(done.output)
    used = set(re.findall(r"LicenseRef-[\w.-]+", str(document["packages"])))
    known = {each["licenseId"] for each in document["hasExtractedLicensingInfos"]}
    assert used == known
    urls = [each["externalRefs"][0]["referenceLocator"] for each in document["packages"]]
    assert len(urls) == len(set(urls))


@pytest.fixture
def dpkg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "run", lambda command, **_: Completed(0, PRINTED))


@pytest.mark.usefixtures("dpkg")
def test_the_table_says_what_is_unknown() -> None:
    lines = CliRunner().invoke(cli, ["sbom"]).output.splitlines()
    rows = {row[1]: row[3:] for row in map(str.split, lines[:-1])}
    assert rows["ruby"] == ["BSD-2-clause", "or", "Ruby"]
    assert rows["libc6"] == ["unknown"]
    assert re.fullmatch(r"\d+ components \(.*\); \d+ of them of unknown license", lines[-1])


@pytest.mark.usefixtures("dpkg")
def test_as_json() -> None:
    found = data(CliRunner().invoke(cli, ["sbom", "--json"]).output)["components"]
    assert {
        "kind": "deb",
        "name": "ruby",
        "version": "1:3.1",
        "purl": "pkg:deb/debian/ruby@1%3A3.1?arch=all",
        "licenses": ["BSD-2-clause or Ruby"],
    } in found


def test_nodes_add_their_packages() -> None:
    def run(command: Command, **_: object) -> Completed:
        return Completed(0, PRINTED)

    printed = "installed\tnova-compute\t31\tall\t\t\n\n"
    found = {each.name for each in sbom.components(run, [printed, PRINTED])}
    assert {"nova-compute", "other", "chef", "click"} <= found


class Answering(Site):
    """A site whose nodes answer each command with this."""

    answer = Completed(0, PRINTED)

    @contextmanager
    def _connections(self, host: Host, known_hosts: Path) -> Iterator[Any]:
        assert host.address == "127.0.0.2"
        yield SimpleNamespace(run=lambda command, **_: self.answer)


def test_the_nodes_are_asked(tmp_path: Path) -> None:
    nodes = (Node("c", Position(1, 1), address=IPv4Address("127.0.0.2")),)
    path = tmp_path / "infrastructure.yml"
    site = Answering(Manifest(path, "lab", nodes=nodes, machines=MachineKind.SSH))
    assert site.software() == (PRINTED,)
    site.answer = Completed(127, "", "sh: dpkg-query: not found\n")
    with pytest.raises(NodeError, match="dpkg-query: not found") as error:
        site.software()
    assert error.value.where == "c"
    assert error.value.remedy == "check that `stackcook ssh c -- dpkg-query --list` works"


@pytest.mark.usefixtures("dpkg")
def test_nodes_are_asked_once_their_network_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def software() -> tuple[str, ...]:
        asked.append("software")
        return (PRINTED,)

    machines = SimpleNamespace(prepare=lambda: asked.append("network"))
    site = SimpleNamespace(machines=machines, make_ready=lambda user: None, software=software)
    monkeypatch.setattr(command, "Site", lambda *_: site)
    path = tmp_path / "infrastructure.yml"
    path.write_text("nodes: [controller]\n")
    with State(tmp_path / ".stackcook") as state:
        state(RunStarted("deploy", 1.0, ("controller",)))
    done = CliRunner().invoke(cli, ["-f", str(path), "sbom", "--nodes", "--json"])
    assert "other" in {each["name"] for each in data(done.output)["components"]}
    assert asked == ["network", "software"]


def test_a_system_without_dpkg(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = Completed(127, "", "sh: dpkg-query: not found\n")
    monkeypatch.setattr(command, "run", lambda command, **_: failed)
    done = CliRunner(mix_stderr=False).invoke(cli, ["sbom"])
    assert (done.exit_code, done.stderr) == (
        2,
        "cannot list Debian packages: sh: dpkg-query: not found; run it on a Debian machine, where "
        "`dpkg-query --list` works\n",
    )
