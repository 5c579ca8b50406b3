"""Which snapshots count, which are deleted, and what of .stackcook is in them."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from stackcook.errors import UsageError
from stackcook.files import lock
from stackcook.manifest.model import Manifest, Place
from stackcook.snapshot.store import (
    CONTENTS,
    Store,
    packages,
    restore_state,
    save_state,
    shape_of,
)
from tests.fakes import two_stages
from tests.snapshots import NOW, FakeLayers, saved, store_in


@pytest.fixture()
def manifest(tmp_path: Path) -> Manifest:
    """A cloud of two nodes."""
    return replace(two_stages(tmp_path), network=IPv4Network("10.0.115.0/24"))


@pytest.fixture()
def store(tmp_path: Path) -> Store:
    return store_in(tmp_path)


def layers(store: Store) -> FakeLayers:
    assert isinstance(store.layers, FakeLayers)
    return store.layers


def use(store: Store, container: str, directory: Path) -> None:
    """Let a container be on the controller's root file system of a snapshot."""
    root = f"overlay:{directory}/nodes/controller/rootfs:/var/lib/lxc/{container}/changes"
    layers(store).roots[container] = root


def there(store: Store) -> int:
    """How many directories it has."""
    return len([path for path in store.directory.iterdir() if path.is_dir()])


def test_what_is_saved_is_found_again(store: Store) -> None:
    snapshot = saved(store)
    assert store.find("lab") == snapshot
    assert store.directory.stat().st_mode & 0o777 == 0o700
    with pytest.raises(UsageError, match="there is no snapshot other; use one of lab"):
        store.find("other")


def test_without_its_contents_it_does_not_count_and_is_deleted_later(store: Store) -> None:
    snapshot = saved(store)
    (snapshot.directory / CONTENTS).unlink()  # as after a kill just before the end
    assert store.all() == ()
    store.tidy()
    assert there(store) == 0


def test_a_save_that_fails_leaves_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.new("lab") as directory:
        (directory / "nodes").mkdir()
        raise ZeroDivisionError
    assert there(store) == 0


def test_what_a_killed_command_still_writes_is_deleted_once_that_ends(store: Store) -> None:
    half = store.directory / "lab.1"
    half.mkdir(parents=True)
    layers(store).busy.add(half)
    saved(store)
    assert there(store) == 2
    layers(store).busy.clear()
    store.tidy()
    assert there(store) == 1


def test_nothing_is_deleted_while_another_command_reads(store: Store) -> None:
    half = store.directory / "lab.1"
    half.mkdir(parents=True)
    with lock(store.directory / "lock", shared=True):
        store.tidy()
    assert there(store) == 1


def test_the_same_name_replaces_the_old_one(store: Store) -> None:
    old = saved(store)
    new = saved(store)
    assert (store.all(), there(store)) == ((new,), 1)
    assert not old.directory.exists()


def test_the_replaced_one_stays_until_no_container_uses_it(store: Store) -> None:
    old = saved(store)
    use(store, "lab-controller", old.directory)
    new = saved(store)
    assert (store.all(), there(store)) == ((new,), 2)
    layers(store).roots.clear()
    store.tidy()
    assert (store.all(), there(store)) == ((new,), 1)


def test_one_in_use_is_not_removed(store: Store) -> None:
    snapshot = saved(store)
    use(store, "lab-controller", snapshot.directory)
    with pytest.raises(UsageError, match="lab: the snapshot is in use by the machines lab-contr"):
        store.remove("lab")
    layers(store).roots.clear()
    store.remove("lab")
    assert (store.all(), there(store)) == ((), 0)


def test_one_that_another_command_is_removing_is_not_listed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, kept = saved(store, "gone"), saved(store, "kept")
    paths = [each.directory / CONTENTS for each in (gone, kept)]
    monkeypatch.setattr(Path, "glob", lambda *_: iter(paths))  # found, and then deleted
    paths[0].unlink()
    assert store.all() == (kept,)


def test_a_deploy_begins_with_the_same_inputs_if_it_can(store: Store, manifest: Manifest) -> None:
    same = saved(store, "same", shape=shape_of(manifest), digest="inputs")
    other = saved(store, "other", shape=shape_of(manifest), digest="changed")
    saved(store, "third", shape="three nodes", digest="inputs")
    found = store.starts(manifest, "inputs", NOW)
    assert [(start.snapshot, start.same) for start in found] == [(same, True), (other, False)]


def test_else_it_begins_with_the_fewest_changed_inputs_and_says_which(
    store: Store, manifest: Manifest
) -> None:
    for name, digest in (
        ("near", "1  manifest\n2  role web"),
        ("far", "9  manifest\n1  role old\n1  role web"),
        ("after-a-converge", ""),
        ("of-an-older-stackcook", "0123abcd"),
    ):
        saved(store, name, shape=shape_of(manifest), digest=digest)
    near, far, *others = store.starts(manifest, "1  manifest\n1  role web", NOW)
    assert (near.snapshot.name, near.changed) == ("near", ("role web",))
    assert (far.snapshot.name, far.changed) == ("far", ("manifest", "role old"))
    assert [start.changed for start in others] == [(), ()]
    assert not any(start.same for start in (near, far, *others))


def test_a_moved_cloud_has_its_own_snapshots_and_those_of_the_original(
    store: Store, manifest: Manifest
) -> None:
    original = saved(store, "original", shape=shape_of(manifest), digest="inputs")
    moved = replace(
        manifest,
        name="lab2",
        network=IPv4Network("10.64.7.0/24"),
        nodes=tuple(
            replace(node, address=IPv4Address(f"10.64.7.{number}"))
            for node, number in zip(manifest.nodes, (11, 10))
        ),
    )
    assert store.starts(moved, "inputs", NOW) == ()
    assert manifest.network
    moved = replace(moved, snapshots_of=Place(manifest.name, manifest.network))
    (start,) = store.starts(moved, "inputs", NOW)
    assert (start.snapshot, start.same) == (original, False)
    assert start.moved == {"10.0.115.10": "10.64.7.10", "10.0.115.11": "10.64.7.11"}
    own = saved(store, "own", shape=shape_of(moved), digest="inputs")
    first, second = store.starts(moved, "changed", NOW)
    assert (first.snapshot, second.snapshot) == (own, original)
    assert not first.moved


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".hidden", "a b", "x" * 65])
def test_names_that_are_refused(store: Store, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a snapshot; use letters"):
        saved(store, name)


def test_containers_could_not_use_such_a_path(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="set XDG_DATA_HOME to another directory"):
        saved(store_in(tmp_path / "a:b"))


@pytest.mark.parametrize(
    "text, why",
    [
        (b"{", "cannot be read"),
        (b"[]", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b'{"format": 1}', "cannot be read"),
        (b'{"format": 9}', "has another format than 1, which this stackcook reads"),
        (b"[" * 100_000, "cannot be read"),
    ],
)
def test_one_that_cannot_be_read_stays_until_it_is_removed(
    store: Store, text: bytes, why: str
) -> None:
    path = saved(store, "damaged").directory / CONTENTS
    path.write_bytes(text)
    other = saved(store)  # which deletes what does not count
    assert store.all() == (other,) and there(store) == 2
    (damaged,) = store.unreadable()
    with pytest.raises(UsageError) as error:
        store.find("damaged")
    assert str(error.value) == str(damaged.error)
    assert str(error.value).startswith(f"{path}: {why}")
    assert str(error.value).endswith("; run `stackcook snapshot remove damaged`")
    store.remove("damaged")
    assert store.unreadable() == () and there(store) == 1


@pytest.mark.parametrize(
    "right, wrong, why",
    [
        ('"name": "damaged"', '"name": ["damaged"]', 'name cannot be ["damaged"]'),
        ('"cloud": "lab"', '"cloud": null', "cloud cannot be null"),
        ('"size": 1', '"size": "1"', 'size cannot be "1"'),
        ('"packages": {}', '"packages": [1]', "packages cannot be [1]"),
        ('"saved": 1800000000.0', '"saved": "today"', 'saved cannot be "today"'),
        ('"saved": 1800000000.0', '"saved": NaN', ""),
        ('"saved": 1800000000.0', '"saved": 1e300', ""),
        ('"saved": 1800000000.0', '"saved": 1e17', ""),
    ],
)
def test_values_of_another_type_are_damage(store: Store, right: str, wrong: str, why: str) -> None:
    """They ended every command that lists snapshots, such as a deploy, with an internal error."""
    path = saved(store, "damaged").directory / CONTENTS
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong, 1))
    assert store.all() == ()
    (damaged,) = store.unreadable()
    assert f"cannot be read ({why}" in str(damaged.error)


def test_a_damaged_one_in_use_is_not_removed(store: Store) -> None:
    snapshot = saved(store)
    (snapshot.directory / CONTENTS).write_text("{")
    use(store, "lab-controller", snapshot.directory)
    with pytest.raises(UsageError, match="in use by the machines lab-controller"):
        store.remove("lab")


def test_the_contents_have_no_path_of_this_machine(store: Store) -> None:
    snapshot = saved(store)
    text = (snapshot.directory / CONTENTS).read_text()
    assert str(store.directory) not in text
    assert json.loads(text)["nodes"]["controller"]["packages"] == {"nova-api": "1"}


def test_the_state_comes_back_and_what_is_of_its_directory_stays(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    kept = ("state.db", "state.db-wal", "lock", "machines.lock", "logs/one.log", "restoring")
    keys = ("known_hosts", "ssh/id_ed25519", "chef/admin.pem", "chef/server/data")
    anew = ("chef/server/pid", "chef/server/goiardi.toml", "chef/server/index")
    for name in (*kept, *keys, *anew):
        (old / name).parent.mkdir(parents=True, exist_ok=True)
        (old / name).write_text(f"old {name}")
    (old / "ssh/id_ed25519").chmod(0o600)
    for name in (*kept, "chef/admin.pem", "data_bags/of/this.json"):
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        (new / name).write_text(f"new {name}")

    save_state(old, tmp_path)
    restore_state(tmp_path, new)
    found = {str(p.relative_to(new)): p.read_text() for p in new.rglob("*") if p.is_file()}
    assert found == {n: f"new {n}" for n in kept} | {n: f"old {n}" for n in keys}
    assert (new / "ssh/id_ed25519").stat().st_mode & 0o777 == 0o600


def test_a_directory_that_the_user_has_moved_to_another_disk_is_replaced(tmp_path: Path) -> None:
    elsewhere, state = tmp_path / "elsewhere", tmp_path / "new"
    for directory in (elsewhere, state, tmp_path / "state" / "chef"):
        directory.mkdir(parents=True)
    (state / "chef").symlink_to(elsewhere)
    (tmp_path / "state" / "chef" / "admin.pem").write_text("key")
    restore_state(tmp_path, state)
    assert (state / "chef" / "admin.pem").read_text() == "key"
    assert not (state / "chef").is_symlink() and elsewhere.is_dir()


def test_versions_of_packages(tmp_path: Path) -> None:
    status = tmp_path / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text(
        "Package: nova-api\nStatus: install ok installed\nVersion: 2:31.0-1\n"
        "Description: a\n long: text\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n"
    )
    assert packages(tmp_path) == {"nova-api": "2:31.0-1"}
    assert packages(tmp_path / "other") == {}
