"""What a Chef server lacks, as people read it and as JSON holds it."""

from __future__ import annotations

import pytest

from stackcook.chef.objects.cookbook import Cookbook
from stackcook.chef.sync.changes import CookbookChange, Difference, FileChanges, Gone, ObjectChange
from stackcook.report.difference import data, render


def cookbook(name: str, **change: object) -> CookbookChange:
    made = Cookbook(name, {"name": name, "version": "1.2.0"}, ())
    return CookbookChange(made, frozenset(), **change)  # type: ignore[arg-type]


def role(stored: dict[str, object] | None, value: dict[str, object]) -> ObjectChange:
    return ObjectChange("role web", "/roles", "web", value, stored is None, stored)


def item(stored: str, wanted: str, *, secret: bool) -> ObjectChange:
    def wrapped(password: str) -> dict[str, object]:
        raw = {"id": "nova", "password": password}
        return {"chef_type": "data_bag_item", "data_bag": "db", "raw_data": raw}

    label, here = "data bag item db/nova", wrapped(wanted)
    return ObjectChange(label, "/data/db", "nova", here, False, wrapped(stored), secret)


ROLE = role({"name": "web", "run_list": ["recipe[a]"]}, {"name": "web", "run_list": ["recipe[b]"]})
ROLE_DIFF = [
    "@@ -2,5 +2,5 @@",
    '   "name": "web",',
    '   "run_list": [',
    '-    "recipe[a]"',
    '+    "recipe[b]"',
    "   ]",
    " }",
]
FILES = FileChanges(("recipes/new.rb",), ("metadata.rb",), ("files/old",))


@pytest.mark.parametrize(
    "difference, lines",
    [
        (Difference((), (), ()), ["  unchanged  0"]),
        (
            Difference(
                (cookbook("apt", new=True),),
                (role(None, {"name": "web"}),),
                ("role a", "role b"),
                (Gone("role", "role old", "/roles/old"),),
            ),
            [
                "  new        cookbook apt 1.2.0",
                "  new        role web",
                "  extra      role old",
                "             extra: only on the server; `stackcook upload --prune` deletes it",
                "  unchanged  2",
            ],
        ),
        (
            Difference((cookbook("apt", new=False, files=FILES, metadata=("version",)),), (), ()),
            [
                "  changed    cookbook apt 1.2.0",
                "             + recipes/new.rb",
                "             ~ metadata.rb",
                "             - files/old",
                "             metadata: version",
            ],
        ),
        (
            Difference((cookbook("apt", new=False, files=FILES, frozen=True),), (), ()),
            [
                "  changed    cookbook apt 1.2.0",
                "             + recipes/new.rb",
                "             ~ metadata.rb",
                "             - files/old",
                "             frozen on the server: only `stackcook upload --force` replaces it",
            ],
        ),
        (
            Difference((), (ROLE,), ()),
            ["  changed    role web", *(f"             {line}" for line in ROLE_DIFF)],
        ),
        (
            Difference((), (item("old", "new", secret=False),), ()),
            [
                "  changed    data bag item db/nova",
                "             @@ -1,4 +1,4 @@",
                "              {",
                '                "id": "nova",',
                '             -  "password": "old"',
                '             +  "password": "new"',
                "              }",
            ],
        ),
        (
            Difference((), (item("old", "new", secret=True),), ()),
            [
                "  changed    data bag item db/nova",
                "             not shown: it is encrypted",
            ],
        ),
    ],
    ids=["nothing", "kinds", "cookbook", "frozen", "role", "item", "encrypted item"],
)
def test_lines(difference: Difference, lines: list[str]) -> None:
    assert render(difference).plain.splitlines() == lines


def test_colours_say_which_side_a_line_is_of() -> None:
    text = render(Difference((), (ROLE,), ()))
    styles = {text.plain[span.start : span.end].strip(): span.style for span in text.spans}
    assert styles['-    "recipe[a]"'] == "red"
    assert styles['+    "recipe[b]"'] == "green"


def test_json() -> None:
    secret = item("old", "new", secret=True)
    gone = Gone("cookbook", "cookbook old 1.0.0", "/cookbooks/old/1.0.0")
    changed = cookbook("apt", new=False, files=FILES, metadata=("version",))
    new = cookbook("nginx", new=True)
    assert data(Difference((new, changed), (ROLE, secret), ("role a",), (gone,))) == {
        "new": ["cookbook nginx 1.2.0"],
        "changed": [
            {
                "label": "cookbook apt 1.2.0",
                "files": {
                    "added": ["recipes/new.rb"],
                    "changed": ["metadata.rb"],
                    "removed": ["files/old"],
                },
                "metadata": ["version"],
                "frozen": False,
            },
            {"label": "role web", "diff": ROLE_DIFF},
            {"label": "data bag item db/nova", "diff": None},
        ],
        "gone": [{"kind": "cookbook", "label": "cookbook old 1.0.0"}],
        "unchanged": ["role a"],
    }
