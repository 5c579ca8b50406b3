"""What the shipped test image does while an instance boots on a busy node."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "cookbooks/openstack-resources/files/build-test-image"

LATE, NONE = "wget: download timed out", "wget: server returned error: HTTP/1.1 404 Not Found"
"""What busybox's wget says of a service that is late, and of a path that is not there."""


def metadata(directory: Path, *answers: str) -> tuple[str, int]:
    """What the image's function prints for these answers of the service, and how often it asks."""
    found = re.search(r"^metadata\(\) \{\n.*?^\}\n", SCRIPT.read_text(), re.DOTALL | re.MULTILINE)
    assert found
    for number, answer in enumerate(answers, 1):
        (directory / str(number)).write_text(answer)
    script = f"""
        count=0
        sleep() {{ :; }}
        wget() {{
            count=$((count + 1))
            if grep -q ^wget: $count; then cat $count >&2; return 1; fi
            cat $count >metadata
        }}
        {found[0].replace("/run/", "")}
        metadata some/path
        echo " $count"
    """
    done = subprocess.run(["sh", "-c", script], cwd=directory, capture_output=True, text=True)
    assert done.stderr == ""
    text, _, count = done.stdout.rpartition(" ")
    return text, int(count)


@pytest.mark.parametrize(
    ("known", "answers", "text", "asked"),
    [
        (True, ["ssh-ed25519 AAAA"], "ssh-ed25519 AAAA", 1),
        (True, [LATE, LATE, "ssh-ed25519 AAAA"], "ssh-ed25519 AAAA", 3),
        (True, [NONE], "", 1),
        (False, [NONE, LATE, '{"uuid": "1"}'], '{"uuid": "1"}', 3),
        (False, [LATE] * 8, "", 8),
    ],
    ids=["at once", "late", "not there", "before the agent knows the port", "never"],
)
def test_metadata_that_is_late(
    tmp_path: Path, known: bool, answers: list[str], text: str, asked: int
) -> None:
    (tmp_path / "meta_data.json").write_text('{"uuid": "1"}' if known else "")
    assert metadata(tmp_path, *answers) == (text, asked)
