"""docs/deploy.md has every kind of finding, as the code has it."""

from __future__ import annotations

from pathlib import Path

from stackcook.bootstrap.findings import KINDS

DOCUMENT = Path(__file__).parents[2] / "docs/deploy.md"


def table() -> str:
    """The lines of the table; to renew it: `python -m tests.unit.test_findings_doc`."""
    lines = ["| ID | severity | meaning | what to do |", "|---|---|---|---|"]
    for id, kind in KINDS.items():
        severity = (
            f"{kind.severity.value}, cannot be ignored" if kind.fatal else kind.severity.value
        )
        lines.append(f"| `{id}` | {severity} | {kind.meaning} | {kind.remedy} |")
    return "\n".join(lines) + "\n"


def test_the_table_in_the_document_is_that_of_the_code() -> None:
    assert f"\n{table()}\n" in DOCUMENT.read_text()


if __name__ == "__main__":
    before, _, rest = DOCUMENT.read_text().partition("| ID | severity |")
    _, _, after = rest.partition("\n\n")
    DOCUMENT.write_text(f"{before}{table()}\n{after}")
