"""Horizon in Chromium, as its users see it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stackcook.verify.instance.resources import PREFIX
from tests.labs import Lab
from tests.started import Started, command, environment

STEPS = [
    "log in as admin",
    "list the hypervisors",
    "log out as admin",
    "log in as demo",
    "launch an instance",
    "console log",
    "console",
    "delete the instance",
    "log out as demo",
]
VOLUME = ["create a volume", "delete the volume"]


def verify(lab: Lab, *options: str) -> Any:
    """Use Horizon; the data of the JSON document."""
    done = lab.stackcook("--json", "verify", "--no-instance", "--horizon", *options, timeout=900)
    failed = [check for check in done.data["checks"] if not check["ok"]]
    assert (failed, done.status) == ([], 0)
    return done.data


def listed(lab: Lab, *what: str) -> list[str]:
    """The names of what the runs have left in the cloud."""
    names = [row["Name"] for row in lab.openstack(*what, "list", "--all-projects")]
    return [name for name in names if name.startswith(PREFIX)]


def browsers(lab: Lab) -> list[str]:
    """The Chromium processes whose profile is in the lab's directory."""
    profile = str(lab.root / ".stackcook" / "chromium").encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if profile in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue  # it has ended since
    return found


def wait_for(what: str, look: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.5)


def test_both_users_get_through_horizon(lab: Lab, tmp_path: Path) -> None:
    page = tmp_path / "verify.html"
    data = verify(lab, "--html", str(page))
    names = [check["name"] for check in data["checks"]]
    cinder = any(
        name.startswith(("endpoint volumev3 ", "endpoint block-storage ")) for name in names
    )
    done = [name.removeprefix("Horizon: ") for name in names if name.startswith("Horizon: ")]
    assert sorted(done) == sorted([*STEPS, *(VOLUME if cinder else [])])
    screenshots = [Path(path) for path in data["screenshots"]]
    assert len(screenshots) == len(done)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in screenshots)
    assert page.read_text().count("<img ") == len(screenshots)
    text = "\n".join(lab.transcript) + page.read_text()
    assert not [secret for secret in lab.secrets() if secret in text]
    assert listed(lab, "server") == [] and browsers(lab) == []
    assert not (lab.root / ".stackcook" / "chromium").exists()


def test_a_killed_run_leaves_no_browser_and_the_next_one_removes_its_instance(lab: Lab) -> None:
    argv = command(lab.manifest, "verify", "--no-instance", "--horizon")
    with Started(argv, cwd=lab.root, tell=lambda line: None, env=environment()) as run:
        wait_for("an instance", lambda: bool(listed(lab, "server")), 300)
        run.kill()
    wait_for("the end of Chromium", lambda: not browsers(lab), 30)
    assert listed(lab, "server") != []
    verify(lab)
    assert listed(lab, "server") == []
