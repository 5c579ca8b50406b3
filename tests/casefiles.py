"""The case files below tests/cases: YAML, a document a case, whose name is in ``case``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DIRECTORY = Path(__file__).parent / "cases"


def read_cases(directory: Path = DIRECTORY) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each case of the files in ``directory``: ``FILE: NAME``, and the document."""
    for path in sorted(directory.glob("*.yml")):
        for document in yaml.safe_load_all(path.read_text()):
            yield f"{path.stem}: {document['case']}", document
