"""All files or none, and nothing that was there is lost unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackcook.errors import UsageError
from stackcook.scaffold.files import write

FILES = {"m.yml": b"new", "roles/a.json": b"new", "cookbooks/x/recipes/b.rb": b"new", ".i": b"new"}


def put(directory: Path, *paths: str) -> None:
    for path in paths:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(b"old")


def tree(directory: Path) -> dict[str, bytes | None]:
    paths = sorted(directory.rglob("*"))
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in paths
        if path.is_file()
    }


def test_writes_into_a_directory_that_is_made(tmp_path: Path) -> None:
    assert write(tmp_path / "a" / "b", FILES) == tuple(FILES)
    assert tree(tmp_path / "a" / "b") == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_names_all_that_is_in_the_way(tmp_path: Path) -> None:
    put(tmp_path, "roles/a.json", "cookbooks/x/recipes/b.rb", "cookbooks/x/own.rb", "other")
    before = tree(tmp_path)
    with pytest.raises(UsageError) as error:
        write(tmp_path, FILES)
    assert error.value.what == "already exists: cookbooks/x/, roles/a.json"
    assert "--force" in error.value.remedy
    assert tree(tmp_path) == before


def test_force_overwrites_its_own_files_only(tmp_path: Path) -> None:
    put(tmp_path, "roles/a.json", "cookbooks/x/own.rb", ".i")
    written = write(tmp_path, FILES, optional=(".i",), force=True)
    assert written == ("m.yml", "roles/a.json", "cookbooks/x/recipes/b.rb")
    assert tree(tmp_path) == {**FILES, "cookbooks/x/own.rb": b"old", ".i": b"old"}


def test_optional_files_are_in_nobody_s_way(tmp_path: Path) -> None:
    put(tmp_path, ".i")
    write(tmp_path, FILES, optional=(".i", "m.yml"))
    assert tree(tmp_path) == {**FILES, ".i": b"old"}


@pytest.mark.parametrize("force", [False, True])
def test_a_file_in_a_directory_s_place_and_the_other_way_round(tmp_path: Path, force: bool) -> None:
    put(tmp_path, "roles", "m.yml/x")
    before = tree(tmp_path)
    with pytest.raises(UsageError) as error:
        write(tmp_path, FILES, force=force)
    assert error.value.what == "already exists: m.yml/, roles"
    assert tree(tmp_path) == before


def test_a_file_in_the_place_of_it_all(tmp_path: Path) -> None:
    put(tmp_path, "there")
    with pytest.raises(UsageError, match="is not a directory"):
        write(tmp_path / "there", FILES)


def test_a_dangling_link_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "m.yml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="m.yml"):
        write(tmp_path, FILES)
    assert not (tmp_path / "nowhere").exists()


def test_what_is_refused_leaves_nothing(tmp_path: Path) -> None:
    def refuse(staged: Path) -> None:
        assert tree(staged) == FILES
        raise UsageError("no")

    with pytest.raises(UsageError, match="no"):
        write(tmp_path / "new", FILES, check=refuse)
    assert tree(tmp_path) == {} and list(tmp_path.iterdir()) == []
