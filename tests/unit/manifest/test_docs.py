"""The manifests in the docs are ones that stackcook reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stackcook.manifest import nodes
from stackcook.manifest.inventory import VARIABLES
from stackcook.manifest.knifeoptions import NODE_OPTIONS
from stackcook.manifest.read import SECTIONS, read
from stackcook.manifest.settings import KEYS

DOCS, *OTHERS = (
    (Path(__file__).parents[3] / "docs" / name).read_text()
    for name in ("manifest.md", "hosts.md", "chef-server.md", "own-cookbooks.md")
)
(HOSTS_FILE,) = re.findall(r"```ini\n(.*?)```", DOCS, re.DOTALL)
BLOCKS = re.findall(r"```yaml\n(.*?)```", "".join([DOCS, *OTHERS]), re.DOTALL)
EXAMPLES = [text for text in BLOCKS if not text.startswith("web.port:")]  # an attributes.yml


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_have_no_findings(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (".ssh/lab", ".chef/operator.pem", "keys/users_secret", "Berksfile"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "hosts.ini").write_text(HOSTS_FILE)
    path = tmp_path / "infrastructure.yml"
    path.write_text(text)
    assert [str(finding) for finding in read(path)[1]] == []


def rows(header: str) -> list[str]:
    """The first cells of the table whose header begins so."""
    table = DOCS.partition(f"| {header} |")[2].partition("\n\n")[0]
    return re.findall(r"^\| (`.*?) \| ", table, re.MULTILINE)


def test_every_key_of_the_section_stackcook_is_explained() -> None:
    assert rows("key") == [f"`{key}`" for key in KEYS]


def test_every_key_of_a_node_is_explained() -> None:
    assert rows("key of a node") == [f"`{key}`" for key in nodes.KEYS]


def test_every_variable_of_an_inventory_is_explained() -> None:
    known = {variable for names in VARIABLES.values() for variable in names}
    older = {"ansible_ssh_host", "ansible_ssh_user", "ansible_ssh_port"}
    assert {*re.findall(r"`(ansible_.*?)`", " ".join(rows("variable")))} == known - older


def test_every_option_that_has_an_effect_is_explained() -> None:
    assert sorted(re.findall(r"`(-.*?)`", " ".join(rows("option")))) == sorted(
        flag for flags in NODE_OPTIONS.values() for flag in flags
    )


def test_every_section_and_every_provider_is_there() -> None:
    example = EXAMPLES[0]
    assert [name for name in SECTIONS if not re.search(rf"^{name}:", example, re.MULTILINE)] == []
    listed = DOCS.partition("Providers: ")[2].partition(".")[0]
    assert re.split(r",\s+", listed) == nodes.PROVIDERS
