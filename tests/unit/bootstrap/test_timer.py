"""The timer that runs chef-client: how a converge sets it up, and what its runs note."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.bootstrap import record, timer
from stackcook.bootstrap.base import Deploy
from stackcook.bootstrap.bootstrap import Bootstrap
from stackcook.bootstrap.output import ChefOutput
from stackcook.bootstrap.record import Keep
from stackcook.manifest.model import Timer
from tests.fakes import AT
from tests.unit.bootstrap.fakes import DEPLOY, ONE, Setting, again, steps

TIMER = Timer(1800, AT, 90)


def prepared(directory: Path, wanted: Timer | None) -> list[str]:
    """The recipes that chef-client gets, if /etc/chef is ``directory``."""
    script = timer.script(wanted).replace("/etc/chef", str(directory))
    done = subprocess.run(
        ["sh", "-ec", f'{script}\nfor each in "$@"; do echo "$each"; done'],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.split()


def test_the_recipe_is_there_as_long_as_the_timer_is(tmp_path: Path) -> None:
    recipe = tmp_path / "stackcook-timer.rb"
    assert prepared(tmp_path, None) == [] and not recipe.exists()
    assert prepared(tmp_path, TIMER) == [str(recipe)]
    assert recipe.read_text().startswith("seconds, random = 1800, 90\n")
    assert prepared(tmp_path, None) == [str(recipe)]
    assert recipe.read_text().startswith("seconds, random = nil\n")  # and removes itself


def test_only_a_whole_converge_sets_up_the_timer(setting: Setting) -> None:
    setting.register()
    chef = Bootstrap(replace(setting.context, timer=TIMER))
    again(chef, ONE, setting.host)
    assert "set -- /etc/chef/stackcook-timer.rb" in setting.shell.sent[-1]
    assert re.search(r'^exec chef-client .* "\$@"$', setting.shell.sent[-1], re.M)
    deploy = Deploy(DEPLOY.id, recipes={"one": ("base::packages",)})
    (prepare,) = (
        work for name, work in steps(chef, ONE, setting.host, deploy=deploy) if name == "prepare"
    )
    prepare(print)
    assert "stackcook-timer.rb" not in setting.shell.sent[-1]


def test_a_controller_of_several_gets_no_timer_and_loses_the_one_it_has(setting: Setting) -> None:
    """Two that converge at the same time would leave the third one without a quorum."""
    setting.register()
    chef = Bootstrap(replace(setting.context, timer=TIMER, in_turn=("one", "two", "three")))
    again(chef, ONE, setting.host)
    assert timer.script(None) in setting.shell.sent[-1]


def test_a_run_that_saves_an_old_run_list_changes_nothing(setting: Setting) -> None:
    setting.register()
    again(Bootstrap(setting.context), ONE, setting.host)
    found = re.search(r"^printf %s '(\{.*?\})' \|", setting.shell.sent[-1], re.M)
    assert found and json.loads(found[1])["run_list"] == ["role[base]"]


@pytest.mark.parametrize("status", [0, 1])
def test_each_run_notes_what_it_changes(tmp_path: Path, status: int) -> None:
    """Also while a step of stackcook runs on the host."""
    home, bin = tmp_path / "home", tmp_path / "bin"
    (home / "record").mkdir(parents=True)
    (home / "began").touch()  # by the step
    bin.mkdir()
    client = (
        f'#!/bin/sh\necho nova >>{tmp_path}/now\nrm -f {home}/began\necho "$@"\nexit {status}\n'
    )
    programs = {"chef-client": client, "dpkg-query": f"#!/bin/sh\nsed 's/$/ ii/' {tmp_path}/now\n"}
    programs |= {name: "#!/bin/sh\n" for name in ("find", "systemctl", "nft")}
    for name, text in programs.items():
        (bin / name).write_text(text)
        (bin / name).chmod(0o755)
    (tmp_path / "now").write_text("bash\n")
    script = timer.run_script().replace("/var/lib/stackcook", str(home))
    done = subprocess.run(
        ["sh", "-c", script, "run", "-c", "/etc/chef/client.rb"],
        env={"PATH": f"{bin}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (status, "-c /etc/chef/client.rb\n"), done.stderr
    assert (home / "came" / "packages").read_text() == "nova\n"
    assert not list(home.glob("before*")) and not list(home.glob("began*"))


def test_a_converge_that_waits_for_the_timer_s_says_so() -> None:
    output = ChefOutput()
    said = output.feed(
        "[2026-11-29T10:59:14+00:00] WARN: Chef Infra Client 4711 is running, will wait for it to"
        " finish and then run."
    )
    assert said == "waiting for another run of chef-client to end"
    output.feed(
        "[2026-11-29T11:09:14+00:00] FATAL: Chef::Exceptions::RunLockTimeout: Unable to acquire"
        " lock. Waited 600 seconds for 4711 to release."
    )
    assert output.error() == "another chef-client has not ended within 600 s"


SYSTEMCTL = """\
#!/bin/sh
echo "systemctl $*" >>{root}/calls
test "$1" = show || exit 0
left=$(cat {root}/runs); echo $((left - 1)) >{root}/runs
if [ "$left" -gt 0 ]; then echo activating; else echo inactive; fi
"""


@pytest.mark.parametrize("seconds, ended", [(2, True), (1000, False)])
def test_before_a_host_is_given_back_its_timer_stops(
    tmp_path: Path, seconds: int, ended: bool
) -> None:
    """A run that has begun may go on for some minutes."""
    home, etc, bin = tmp_path / "home", tmp_path / "etc", tmp_path / "bin"
    units = etc / "systemd/system"
    for directory in (home / "record", home / "before-timer", etc / "chef", units, bin):
        directory.mkdir(parents=True)
    for path in (home / "began-timer", etc / "chef/stackcook-timer.rb"):
        path.touch()
    for unit in ("chef-client.timer", "chef-client.service", "other.service"):
        (units / unit).touch()
    (tmp_path / "runs").write_text(str(seconds))
    programs = {"systemctl": SYSTEMCTL.format(root=tmp_path)}
    programs |= {name: "#!/bin/sh\n" for name in ("sleep", "find", "nft", "dpkg-query")}
    for name, text in programs.items():
        (bin / name).write_text(text)
        (bin / name).chmod(0o755)
    script = record.script(("http://127.0.0.1:4545", "one"), [], Keep(), b"")
    begin, found, _ = script.partition(
        "\nif ! test -d $record"
    )  # the rest would change this machine
    assert found
    begin = begin.replace("/var/lib/stackcook", str(home)).replace("/etc/", f"{etc}/")
    done = subprocess.run(
        ["sh", "-c", f"{begin}\necho went on"],
        env={"PATH": f"{bin}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text()
    assert calls.index("disable --now chef-client.timer") < calls.index("show")
    assert ("went on" in done.stdout) is ended
    assert ("error: chef-client, started by its timer, is still running" in done.stdout) != ended
    left = {path.name for path in units.iterdir()}
    assert left == {
        "other.service",
        *(() if ended else ("chef-client.timer", "chef-client.service")),
    }
    assert (home / "began-timer").exists() is not ended
