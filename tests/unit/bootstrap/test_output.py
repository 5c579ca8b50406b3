"""chef-client's output as it was printed by real runs, and what is read in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackcook.bootstrap.output import ChefOutput

HERE = Path(__file__).parent
GOOD = """\
Chef Infra Client, version 18.10.17
Infra Phase starting
[2026-11-22T21:11:05+00:00] ERROR: shard_seed: Failed to get dmi property serial_number
Resolving cookbooks for run list: ["trivial"]
Converging 3 resources
Recipe: trivial::default
  * file[/etc/trivial] action create
    - create new file /etc/trivial
    - update content in file /etc/trivial from none to 64305a
  * directory[/srv/trivial] action create (up to date)
  * openstack_service[x] action start
    * service[x] action start (skipped due to only_if)
     (up to date)
  * apt_package[mc] action install
    - install version 4.8 of package mc

Running handlers:
Running handlers complete
Infra Phase complete, 2/4 resources updated in 01 minutes 02 seconds
"""


def read(text: str) -> tuple[ChefOutput, list[str]]:
    output = ChefOutput()
    shown = [text for line in text.splitlines() if (text := output.feed(line) or "")]
    return output, shown


def test_a_run_s_result_is_chef_s_own_count() -> None:
    output, shown = read(GOOD)
    assert output.finished == (2, 4)
    assert output.changed == ("file[/etc/trivial]", "apt_package[mc]")
    assert shown[1:3] == ["Converging 3 resources", "file[/etc/trivial] create"]
    assert "apt_package[mc] install" in shown


@pytest.mark.parametrize(
    "text, error",
    [
        (
            (HERE / "broken.txt").read_text(),
            "Error executing action `run` on resource 'execute[boom]'"
            " (trivial/recipes/broken.rb:1): it is broken",
        ),
        (
            (HERE / "no-cookbook.txt").read_text(),
            "Error Resolving Cookbooks for Run List: The following cookbooks are required by the"
            " client but don't exist on the server: * nope",
        ),
        (
            "WARN: x\nERROR: Train::Transports::SSHFailed: SSH command failed (fingerprint)\n",
            "Train::Transports::SSHFailed: SSH command failed (fingerprint)",
        ),
        (
            "ERROR: The following error occurred on 10.0.0.1:\nERROR: sudo: no such program\n",
            "sudo: no such program",
        ),
        ("E: Unable to locate package ruby\n", "E: Unable to locate package ruby"),
        ("", "no output"),
    ],
)
def test_why_it_failed(text: str, error: str) -> None:
    output, _ = read(text)
    assert output.finished is None
    assert output.error() == error
