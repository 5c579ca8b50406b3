"""The cases of tests/cases/knife: a manifest, files, and the commands that they stand for.

A case's ``knife`` maps options of ``plan --format knife`` to the commands. Where these are not
spiceweasel's there are both, with the row of docs/spiceweasel.md that says why (``differs``);
``null`` is a crash of spiceweasel's, and what it has no option for has no ``spiceweasel``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.casefiles import DIRECTORY, read_cases


@dataclass(frozen=True)
class KnifeCase:
    """One manifest with one set of options; ``spiceweasel`` is ``None`` where that crashes."""

    name: str
    manifest: str
    files: dict[str, str | None]
    options: tuple[str, ...]
    stackcook: list[str]
    spiceweasel: list[str] | None
    differs: tuple[str, ...]
    compared: bool

    def lay_out(self, root: Path) -> None:
        """Write the manifest and its files below ``root``."""
        for name, content in self.files.items():
            path = root / name
            if content is None:
                path, content = _default(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        (root / "infrastructure.yml").write_text(self.manifest)


def _default(path: Path) -> tuple[Path, str]:
    """A cookbook, an object in JSON that has its file's name, or an empty file."""
    if path.parent.name == "cookbooks" and not path.suffix:
        return path / "metadata.rb", f"name '{path.name}'\nversion '1.0.0'\n"
    key = "id" if "data_bags" in path.parts else "name"
    return path, json.dumps({key: path.stem}) if path.suffix == ".json" else ""


def folded(text: str) -> list[str]:
    """The lines, with every run of blanks made one."""
    return [" ".join(line.split()) for line in text.splitlines()]


def _case(name: str, document: dict[str, Any], options: str, wanted: Any) -> KnifeCase:
    files = document.get("files") or {}
    if isinstance(wanted, str):
        wanted = {"stackcook": wanted, "spiceweasel": wanted}
    spiceweasel = wanted.get("spiceweasel")
    return KnifeCase(
        name,
        document["manifest"],
        files if isinstance(files, dict) else dict.fromkeys(files),
        tuple(options.split()),
        folded(wanted["stackcook"]),
        None if spiceweasel is None else folded(spiceweasel),
        tuple(wanted.get("differs", ())),
        "spiceweasel" in wanted,
    )


CASES = [
    _case(f"{name} {options}".rstrip(), document, options, wanted)
    for name, document in read_cases(DIRECTORY / "knife")
    for options, wanted in document["knife"].items()
]
