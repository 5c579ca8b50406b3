"""``stackcook setup``: the real scripts, with stand-ins for dpkg-query, apt-get, sudo and gem."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stackcook import setup
from stackcook.cli import setup as setup_command
from stackcook.cli.main import cli
from stackcook.client import LOCK, gems
from stackcook.command import Command, Completed, Secret, find_program
from stackcook.doctor import TOOLS
from tests.output import data, document

ROOT = Path(__file__).parents[2]
FOLDER = Path(setup.__file__).parent
DPKG = """\
installed ruby, ruby-interpreter (= 1)
installed libarchive13t64, libarchive13 (= 3.7)
config-files lxc, """
"""What dpkg-query says: lxc was removed."""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-ins write how they were called."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    stand_in(tmp_path, "dpkg-query", f"cat <<'END'\n{DPKG}\nEND")
    stand_in(tmp_path, "apt-get", 'echo "$@" >>"$LOG"')
    # no package lists, as in a new container
    stand_in(tmp_path, "apt-cache", 'echo " 100 /var/lib/dpkg/status"')
    stand_in(tmp_path, "id", "echo 0")
    stand_in(tmp_path, "systemctl", "")
    return tmp_path / "log"


def stand_in(tmp_path: Path, name: str, script: str) -> None:
    path = tmp_path / "bin" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def packages(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = ["bash", str(FOLDER / "packages.sh"), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)


@pytest.mark.usefixtures("log")
def test_missing_packages() -> None:
    done = packages("--missing", "ruby", "lxc", "libarchive13", "goiardi")
    assert done.stdout.split() == ["goiardi", "lxc"]
    assert packages("--missing", "ruby").stdout == ""


KNOWN = """
[ $# -gt 1 ] || echo " 500 http://127.0.0.9/debian trixie/main amd64 Packages"
case $1 in
policy)
    shift
    for name; do
        case $name in
        nowhere) ;;
        vagrant-lxc | ftp) printf '%s:\n  Installed: (none)\n  Candidate: (none)\n' $name ;;
        *) printf '%s:\n  Installed: (none)\n  Candidate: 1\n' $name ;;
        esac
    done ;;
showpkg)
    shift
    for name; do
        printf 'Package: %s\nVersions: \n\nReverse Depends: \n  one,%s\nProvides: \n' $name $name
        printf 'Reverse Provides: \n'
        [ $name != ftp ] || echo 'tnftp 1 (= )'
    done ;;
esac
"""
"""What `apt-cache` says where no source has nowhere, stackcook recommends vagrant-lxc, which no
source has, and another package provides ftp."""


def test_a_package_that_no_source_has_does_not_stop_the_others(log: Path, tmp_path: Path) -> None:
    stand_in(tmp_path, "apt-cache", KNOWN)
    shown = packages("--missing", "ruby", "lxc", "vagrant-lxc", "nowhere", "ftp")
    assert shown.stdout == "ftp\nlxc\nnowhere unavailable\nvagrant-lxc unavailable\n"
    assert packages("lxc", "vagrant-lxc").stderr == "setup: no source of apt has vagrant-lxc\n"
    assert re.findall("install .*", log.read_text()) == ["install -y --no-install-recommends lxc"]
    log.unlink()
    assert packages("vagrant-lxc").returncode == 0 and not log.exists()


def test_a_package_turns_out_to_be_unavailable_once_there_are_lists(
    log: Path, tmp_path: Path
) -> None:
    stand_in(tmp_path, "apt-get", 'echo "$@" >>"$LOG"; grep -q "update$" "$LOG"')
    stand_in(tmp_path, "apt-cache", f'grep -qs "update$" "$LOG" || exit 0\n{KNOWN}')
    done = packages("lxc", "vagrant-lxc")
    assert (done.returncode, done.stderr) == (0, "setup: no source of apt has vagrant-lxc\n")
    assert re.findall("recommends (.*)", log.read_text()) == ["lxc vagrant-lxc", "lxc"]


def test_only_missing_packages_are_installed(log: Path) -> None:
    done = packages("ruby", "lxc")
    assert (done.returncode, done.stdout) == (0, "setup: installing 1 Debian packages: lxc\n")
    assert re.findall("install .*", log.read_text()) == ["install -y --no-install-recommends lxc"]
    log.unlink()
    assert packages("ruby").stdout == "" and not log.exists()


def test_old_package_lists_are_updated(log: Path, tmp_path: Path) -> None:
    stand_in(tmp_path, "apt-get", 'echo "$@" >>"$LOG"; grep -q "update$" "$LOG"')
    assert packages("lxc").returncode == 0
    assert [line.split()[3] for line in log.read_text().splitlines()] == [
        "install",
        "update",
        "install",
    ]


@pytest.mark.usefixtures("log")
def test_apt_that_fails(tmp_path: Path) -> None:
    stand_in(tmp_path, "apt-get", 'echo "E: Unable to locate package lxc"; exit 100')
    done = packages("lxc")
    assert done.returncode == 1
    assert "Unable to locate package lxc" in done.stdout + done.stderr
    assert done.stderr.endswith("check the sources in /etc/apt, then run this again\n")


def test_a_user_installs_with_sudo(log: Path, tmp_path: Path) -> None:
    stand_in(tmp_path, "id", "echo 1000")
    stand_in(tmp_path, "sudo", 'echo "sudo $*" >>"$LOG"')
    assert packages("lxc", "ruby").returncode == 0
    assert log.read_text() == f"sudo bash {FOLDER / 'packages.sh'} lxc\n"


def test_every_program_comes_with_a_package_or_a_gem() -> None:
    argv = ["dpkg-query", "-L", *setup.wanted()]
    found = subprocess.run(argv, capture_output=True, text=True)
    files = {Path(line).name for line in found.stdout.splitlines()}
    commands = re.search(r"^commands=\((.*)\)$", (FOLDER / "gems.sh").read_text(), re.MULTILINE)
    assert commands
    assert {tool.program for tool in TOOLS} <= files | set(commands[1].split())


def test_the_debian_package_recommends_the_same() -> None:
    control = (ROOT / "debian" / "control").read_text().partition("\nPackage: ")[2]
    named = set(re.findall(r"^ ([a-z0-9.+-]+),$", control, re.MULTILINE))
    named |= set(re.findall(r"\| ([a-z0-9.+-]+),$", control, re.MULTILINE))
    assert set(setup.wanted()) <= named


def gem_script(*arguments: str) -> str:
    argv = ["bash", str(FOLDER / "gems.sh"), *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def test_gems_are_missing_until_their_programs_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    programs = tmp_path / "programs"
    count = sum(len(gems(lock)) for lock in (LOCK, *setup.GEM_LOCKS))
    assert int(gem_script("--missing", str(programs))) == count
    # the gems that `make setup` has installed, in another cache
    home = Path(Path(sys.executable).with_name(".gems").read_text().strip())
    (tmp_path / "cache/stackcook/gems").mkdir(parents=True)
    (tmp_path / "cache/stackcook/gems" / home.name).symlink_to(home)
    assert "By using them you accept the Chef license" in gem_script(str(programs))
    assert gem_script("--missing", str(programs)) == gem_script(str(programs)) == ""
    argv = [str(programs / "knife"), "--version"]
    assert "18." in subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def test_gems_without_a_home_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert int(gem_script("--missing", str(tmp_path))) > 0


def test_programs_of_the_cache_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.prefix", sys.base_prefix)  # as from a Debian package
    (tmp_path / "stackcook").mkdir()
    (tmp_path / "bin").symlink_to("stackcook/bin")
    (tmp_path / "stackcook/bin").mkdir()
    stand_in(tmp_path, "knife", "")
    assert find_program("knife") == tmp_path / "stackcook/bin/knife"


class Scripts:
    """Runs the scripts of setup, which find these packages and gems missing.

    ``still`` is what is missing of the packages once something was installed.
    """

    def __init__(self, packages: str = "", gems: str = "") -> None:
        self.missing = {"packages.sh": packages, "gems.sh": gems}
        self.still = packages
        self.sudo_asks = False
        self.fails = False
        self.broken = ""
        self.ran: list[Command] = []

    def __call__(self, command: Command, **_: object) -> Completed:
        words = command.argv
        if words[-1] == "true":
            return Completed(int(self.sudo_asks), "")
        if self.broken:
            return Completed(1, "", self.broken)
        if "--missing" in words:
            return Completed(0, self.missing[Path(words[1]).name])
        self.ran.append(command)
        self.missing["packages.sh"] = self.still
        return Completed(int(self.fails), "setup: apt-get install failed\n" if self.fails else "")


Invoke = Callable[..., Result]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Invoke:
    def invoke(scripts: Scripts, *arguments: str, user: int = 0) -> Result:
        monkeypatch.setattr(setup_command, "run", scripts)
        monkeypatch.setattr("os.geteuid", lambda: user)
        return CliRunner(mix_stderr=False).invoke(cli, ["setup", *arguments])

    return invoke


def test_nothing_to_install_is_a_line(invoke: Invoke) -> None:
    scripts = Scripts()
    assert invoke(scripts).stdout == "nothing to install: all programs are there\n"
    assert scripts.ran == []


@pytest.mark.parametrize(
    "wanted, text",
    [
        ("lxc\nvagrant-lxc\n", "installed 1 Debian package"),
        ("vagrant-lxc\n", "nothing to install: all programs that apt has are there"),
    ],
)
def test_what_apt_does_not_have_turns_out_later(invoke: Invoke, wanted: str, text: str) -> None:
    scripts = Scripts(wanted)
    scripts.still = "vagrant-lxc unavailable\n"
    done = data(invoke(scripts, "--yes", "--json").stdout)
    assert done["packages"] == wanted.split()[:-1] and done["unavailable"] == ["vagrant-lxc"]
    scripts.missing["packages.sh"] = wanted
    assert invoke(scripts, "--yes").stdout == f"{text}\n"


def test_what_apt_does_not_have_is_said(invoke: Invoke) -> None:
    done = invoke(Scripts("vagrant-lxc unavailable\n"))
    assert (done.exit_code, done.stderr) == (0, "no source of apt has vagrant-lxc\n")
    assert done.stdout == "nothing to install: all programs that apt has are there\n"
    done = invoke(Scripts("lxc\nvagrant-lxc unavailable\n"), "--yes", "--json")
    found = data(done.stdout)
    assert (found["packages"], found["unavailable"]) == (["lxc"], ["vagrant-lxc"])


def test_dry_run_installs_nothing(invoke: Invoke) -> None:
    scripts = Scripts("goiardi\nlxc\n", "167\n")
    shown = invoke(scripts, "--dry-run")
    assert shown.exit_code == 0 and scripts.ran == []
    assert shown.stdout.startswith("missing: 2 Debian packages and 167 Ruby gems\n")
    assert "packages: goiardi lxc" in shown.stdout
    found = data(invoke(scripts, "--dry-run", "--json").stdout)
    assert found == {
        "packages": ["goiardi", "lxc"],
        "gems": 167,
        "unavailable": [],
        "installed": False,
    }


def test_it_asks_before_it_installs(invoke: Invoke) -> None:
    scripts = Scripts("lxc\n")
    asked = invoke(scripts)
    assert asked.exit_code == 2 and scripts.ran == []
    assert "packages: lxc" in asked.stderr
    assert "cannot ask for confirmation without a terminal; add --yes" in asked.stderr


def test_yes_installs(invoke: Invoke) -> None:
    scripts = Scripts("lxc\n", "1\n")
    done = invoke(scripts, "--yes")
    assert done.stdout == "installed 1 Debian package and 1 Ruby gem\n"
    first, second = scripts.ran
    assert first.argv == ("bash", str(FOLDER / "packages.sh"), "lxc")
    assert second.argv[:2] == ("bash", str(FOLDER / "gems.sh"))
    assert data(invoke(scripts, "--yes", "--json").stdout)["installed"] is True


def test_a_failure_is_a_line(invoke: Invoke) -> None:
    scripts = Scripts("lxc\n")
    scripts.fails = True
    done = invoke(scripts, "--yes", "--json")
    (error,) = document(done.stdout)["errors"]
    assert (done.exit_code, error["what"]) == (2, "cannot install: apt-get install failed")


def test_a_broken_dpkg_is_a_line(invoke: Invoke) -> None:
    scripts = Scripts()
    scripts.broken = "dpkg-query: error: cannot open the status file"
    done = invoke(scripts)
    assert done.exit_code == 2
    assert f"cannot find out what is installed: {scripts.broken}; check that" in done.stderr


def test_a_user_without_a_password_for_sudo(invoke: Invoke) -> None:
    scripts = Scripts("lxc\n")
    assert invoke(scripts, "--yes", user=1000).exit_code == 0
    (command,) = scripts.ran
    assert (Path(command.argv[0]).name, command.argv[1]) == ("sudo", "-n")
    scripts.sudo_asks = True
    done = invoke(scripts, "--yes", user=1000)
    assert done.exit_code == 2
    assert "run `stackcook setup` in a terminal or as root" in done.stderr


def test_the_password_for_sudo_is_on_stdin_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    scripts = Scripts()
    found = setup.Missing(("lxc",), 0)
    setup.install(found, print, scripts, password=Secret("hunter2"))
    (command,) = scripts.ran
    assert command.argv[1:4] == ("-S", "-p", "") and "hunter2" not in str(command)
    assert isinstance(command.stdin, Secret) and command.stdin.reveal() == "hunter2\n"


def test_a_system_without_dpkg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "find_program", lambda name: find_program(f"no-{name}"))
    done = CliRunner(mix_stderr=False).invoke(cli, ["setup"])
    assert done.exit_code == 2
    assert done.stderr.startswith("this system has no dpkg: ")
    assert "`stackcook doctor`" in done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that has installed stackcook into its .venv, and no stackcook in PATH."""
    for name in ("setup", "bin", ".venv/bin"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("setup/python", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv/bin/stackcook").touch()
    for name in ("cat", "dirname", "ln", "mkdir", "sha256sum"):
        (tmp_path / "bin" / name).symlink_to(f"/usr/bin/{name}")
    key = "{ /usr/bin/python3 -V; pwd; cat pyproject.toml; } | sha256sum >.venv/key"
    subprocess.run(["bash", "-c", key], cwd=tmp_path, check=True)
    return tmp_path


def link(checkout: Path) -> list[str]:
    """Run ``setup/python``; returns what it prints."""
    env = {"HOME": str(checkout / "home"), "PATH": str(checkout / "bin")}
    argv = ["/bin/bash", str(checkout / "setup/python")]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout.splitlines()


def test_a_user_gets_a_link_in_a_new_directory(checkout: Path) -> None:
    place = checkout / "home/.local/bin"
    said = link(checkout)
    assert said == [
        f"setup: {place}/stackcook runs this checkout",
        f"setup: log in again, or add {place} to PATH, to run it as `stackcook`",
    ]
    assert (place / "stackcook").samefile(checkout / ".venv/bin/stackcook")
    assert link(checkout) == []


def test_another_stackcook_is_not_replaced(checkout: Path) -> None:
    place = checkout / "home/.local/bin"
    place.mkdir(parents=True)
    (place / "stackcook").touch(0o755)
    assert link(checkout) == []
    assert not (place / "stackcook").is_symlink()
