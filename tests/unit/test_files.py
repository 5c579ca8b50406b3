"""Files of the cache: kept as long as somebody uses them."""

from __future__ import annotations

import os
import time
from pathlib import Path

from stackcook.files import UNUSED, keep


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
