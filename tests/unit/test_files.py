"""Files of the cache: kept as long as somebody uses them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from stackcook.files import UNUSED, keep, write_private
from stackcook.run.lock import exclusive
from stackcook.run.logs import NodeLog
from stackcook.run.state import State


def test_a_caches_files_go_when_nobody_uses_them(tmp_path: Path) -> None:
    now = time.time()
    old, kept = now - UNUSED - 60, now - UNUSED + 3600
    for name, read, written in (
        ("hashes-gone.json", old, old),
        ("hashes-read.json", kept, old),
        ("hashes-young.json", kept, kept),
        ("syntax-other.json", old, old),
        ("gems", old, old),
    ):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (read, written))
    keep(tmp_path / "hashes-mine.json", "{}")
    left = ["gems", "hashes-mine", "hashes-read", "hashes-young", "syntax-other"]
    assert sorted(path.stem for path in tmp_path.iterdir()) == left
    assert (tmp_path / "hashes-mine.json").read_text() == "{}"


@pytest.mark.parametrize(
    "create",
    [
        lambda state: write_private(state / "chef" / "admin.pem", "key"),
        lambda state: ExitStack().enter_context(exclusive(state, "deploy")),
        State,
        lambda state: NodeLog(state, "one", "converge").__exit__(None, None, None),
    ],
)
def test_git_ignores_the_state_whoever_creates_it(
    create: Callable[[Path], object], tmp_path: Path
) -> None:
    create(tmp_path / ".stackcook")
    assert (tmp_path / ".stackcook" / ".gitignore").read_text() == "*\n"
    assert not (tmp_path / ".gitignore").exists()
