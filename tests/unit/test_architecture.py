"""The direction of the arrows in docs/architecture.md, held by walking the imports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "stackcook"
FILES = sorted(PACKAGE.rglob("*.py"))

LAYERS = (
    {"addresses", "cache", "certificates", "client", "errors", "files", "jsoncomments"}
    | {"nearest", "parallel", "ranges", "retry"},
    {"bundle", "manifest", "remote", "command", "redact", "log"},
    {"chef"},
    {"bootstrap"},
    {"machines", "verify", "snapshot", "doctor", "setup"},
    {"run", "knife", "report", "console", "scaffold"},
    {"operations"},
    {"api"},
    {"cli", "__main__"},
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

CHEF = ("rest", "loader", "resolvers", "objects", "checks", "repository", "sync", "server")
"""The packages of ``chef``: each knows only those named before it."""

PROGRAMS = {"verify.backends", "verify.logs.scan", "verify.tempest.stream"}
"""What runs on nodes, as a program of its own."""

LIBRARIES = {
    "click": {"cli"},
    "cryptography": {"certificates", "chef.objects.encryption", "chef.rest.signing"}
    | {"remote.keys", "bootstrap.look", "doctor"},
    "jinja2": {"report.template"},
    "openstack": {"api.cloud"},
    "paramiko": {"remote"},
    "pytest": {"api.fixture"},
    "rich": {"cli", "console", "report"},
    "selenium": {"verify.browser.chromium"},
    "urllib3": {"chef.rest.transport", "verify.browser.chromium"},
    "vagrant": {"machines.vagrant"},
    "requests": {"verify.openstack"},
    "subunit": {"verify.tempest.stream"},
    "testtools": {"verify.tempest.stream"},
    "yaml": {"manifest.document", "manifest.move", "verify.clouds"},
}
"""Which module knows a library; what begins with the name may as well."""


READS_YAML = "chef.objects.attributes"
"""What reads another file than the manifest as YAML with positions."""


def name_of(path: Path) -> str:
    """``chef.rest.client`` for ``stackcook/chef/rest/client.py``; the empty name is the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of all that a file imports, wherever in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write the whole name"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def calls(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of all that a file calls or raises."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)
        elif isinstance(node, ast.Raise) and node.exc:
            yield node.lineno, ast.unparse(node.exc)


every_file = pytest.mark.parametrize("path", FILES, ids=name_of)


@every_file
def test_imports_point_down(path: Path) -> None:
    here = name_of(path).split(".")[0]
    if not here:
        return
    for line, name in imports(path):
        parts = name.split(".")
        if parts[0] != "stackcook" or len(parts) == 1 or parts[1] not in LEVEL:
            continue
        where = f"{path}:{line}: {name}"
        assert LEVEL[parts[1]] <= LEVEL[here], f"{where} lies above"
        if parts[1] == "console":
            assert here in ("cli", "console"), f"{where}: emit an event, return a result"
        if parts[1] == "manifest" and here not in ("manifest", "api", "cli"):
            known = parts[2] in ("model", "knifeoptions")
            known = known or name_of(path) == READS_YAML and parts[2] in ("document", "fields")
            assert known, f"{where}: only the model is known outside of manifest"


@every_file
def test_chefs_packages_know_those_before_them(path: Path) -> None:
    parts = name_of(path).split(".")
    if parts[0] != "chef" or len(parts) == 1:
        return
    assert parts[1] in CHEF, f"{path} lies in none of them"
    for line, name in imports(path):
        if name.startswith("stackcook.chef."):
            there = name.split(".")[2]
            known = CHEF[: CHEF.index(parts[1]) + 1]
            assert there in known, f"{path}:{line}: {name} lies above {parts[1]}"


@every_file
def test_one_module_knows_a_library(path: Path) -> None:
    here = name_of(path)
    for line, name in imports(path):
        owners = LIBRARIES.get(name.split(".")[0])
        known = owners is None or any(here == o or here.startswith(f"{o}.") for o in owners)
        assert known, f"{path}:{line}: {name} belongs to {owners}"


@every_file
def test_only_cli_exits_and_only_console_prints(path: Path) -> None:
    here = name_of(path).split(".")[0]
    if name_of(path) in PROGRAMS:
        return
    for line, name in calls(path):
        exits = name.startswith(("sys.exit", "os._exit", "exit", "SystemExit"))
        assert here in ("cli", "__main__") or not exits, f"{path}:{line}: only cli exits"
        prints = name in ("print", "click.echo", "click.secho") or name.startswith(
            ("sys.stdout.", "sys.stderr.", "pprint")
        )
        prints = prints and not name.endswith(".flush")
        assert here in ("console", "__main__") or not prints, f"{path}:{line}: only console prints"


def test_every_module_has_its_layer() -> None:
    names = {name_of(path).split(".")[0] for path in FILES} - {""}
    assert names == set(LEVEL)


def test_the_docs_list_the_packages_of_chef() -> None:
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text()
    section = text.split("## Inside `chef/`")[1].split("## ")[0]
    listed = re.findall(r"^\| `(\w+)/` \|", section, re.MULTILINE)
    assert listed == list(reversed(CHEF)), "a package stands above those that it imports"
    folders = {path.parent.name for path in (PACKAGE / "chef").glob("*/__init__.py")}
    assert set(listed) == folders
