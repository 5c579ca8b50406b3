"""The order in which changes reach the server."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from stackcook.chef.objects.cookbook import Cookbook, CookbookFile
from stackcook.chef.sync.changes import CookbookChange, ObjectChange
from stackcook.chef.sync.changes import batches, cookbook_waves, object_waves


def change(name: str, depends: str = "", **how: Any) -> CookbookChange:
    """A cookbook to put, that depends on others."""
    metadata = {"version": "1.0.0", "dependencies": dict.fromkeys(depends.split(), ">= 0.0.0")}
    return CookbookChange(Cookbook(name, metadata, ()), frozenset(), **{"new": True, **how})


def names(waves: Any) -> list[str]:
    """The names in each wave that has any."""
    found = [sorted(getattr(c, "name", "") or c.cookbook.name for c in wave) for wave in waves]
    return [" ".join(wave) for wave in found if wave]


def test_what_nodes_may_use_comes_after_what_it_depends_on() -> None:
    waves = cookbook_waves([change("a", "b elsewhere"), change("b", "c"), change("c")])
    assert names(waves) == ["c", "b", "a"]


def test_what_no_node_can_ask_for_yet_comes_first_and_at_once() -> None:
    changes = [
        change("used", "new"),
        change("new", "newer", first=True),
        change("newer", "other", first=True),
        change("other"),
    ]
    assert names(cookbook_waves(changes)) == ["new newer", "other", "used"]


def test_dependencies_that_stay_need_no_order() -> None:
    changes = [change("a", "b", new=False), change("b", new=False)]
    assert names(cookbook_waves(changes)) == ["a b"]
    changes = [change("a", "b", new=False, metadata=("dependencies",)), change("b", new=False)]
    assert names(cookbook_waves(changes)) == ["b", "a"]


def test_a_circle_ends() -> None:
    assert names(cookbook_waves([change("a", "b"), change("b", "a")])) == ["a b"]


def test_a_long_chain_is_no_trouble() -> None:
    chain = [change(str(n), str(n + 1)) for n in range(3000)]
    assert names(cookbook_waves(chain))[0] == "2999"


def entangled(name: str, stored: str, wanted: str) -> CookbookChange:
    """A cookbook that has the files ``stored`` and is to have ``wanted``; a letter is a file."""

    def sums(letters: str) -> list[str]:
        return [hashlib.md5(letter.encode()).hexdigest() for letter in letters]

    files = tuple(CookbookFile(md5, Path(md5), md5) for md5 in sums(wanted))
    return CookbookChange(Cookbook(name, {}, files), frozenset(sums(stored)), new=False)


def test_who_gets_a_file_comes_before_who_gives_it() -> None:
    wave = [entangled("giver", "xy", "y"), entangled("getter", "z", "zx"), change("other")]
    assert names(batches(wave)) == ["getter other", "giver"]


def test_no_two_that_swap_files_at_once() -> None:
    wave = [entangled("a", "x", "y"), entangled("b", "y", "x"), change("other")]
    assert names(batches(wave)) == ["a other", "b"]
    assert names(batches([])) == []


def made(collection: str, name: str, **value: Any) -> ObjectChange:
    return ObjectChange(name, collection, name, value, new=True)


def test_what_is_named_comes_before_what_names_it() -> None:
    changes = [
        made("/roles", "web", run_list=["recipe[apt]", "role[base]"], env_run_lists={}),
        made("/roles", "base", run_list=[], env_run_lists={"qa": ["role[deep]"]}),
        made("/roles", "deep", run_list=["nonsense["]),
        made("/environments", "qa"),
        made("/data/users", "alice"),
        made("/data/users", "bob"),
        made("/data/keys", "one"),
        made("/data", "users"),
        made("/data", "keys"),
    ]
    waves = names(object_waves(changes))
    assert waves == ["keys users", "alice one", "bob", "qa", "deep", "base", "web"]
