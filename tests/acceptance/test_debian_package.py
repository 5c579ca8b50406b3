"""``make deb``: the package in clean Debian systems, used as its user would."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from stackcook import __version__
from stackcook.cache import cache
from tests.acceptance.fresh import DEPLOY, VERIFIED, debian, machine
from tests.output import data
from tests.pages import commands
from tests.started import ROOT

NETWORK = IPv4Network("10.0.143.0/24")

CHROOT = (
    "unshare",
    "--mount",
    "sh",
    "-ec",
    'mount -t devpts -o newinstance,ptmxmode=0666 devpts "$0/dev/pts";'
    ' mount -t proc proc "$0/proc"; exec chroot "$0" "$@"',
)
"""chroot with terminals and /proc of its own, which end with it."""

MISSING = {"bookworm": [], "trixie": ["vagrant-lxc"]}
"""Suite → what `stackcook setup` cannot install there."""

SETUP = 1800.0
"""Seconds that `stackcook setup` may take: it downloads 300 MB, and builds gems."""

COMPLETE = {
    "bash": (
        "bash",
        "-c",
        "source /usr/share/bash-completion/bash_completion; _completion_loader stackcook;"
        " COMP_WORDS=(stackcook ssh comp) COMP_CWORD=2;"
        ' _stackcook_completion stackcook; echo "${COMPREPLY[@]}"',
    ),
    "fish": ("fish", "-c", "complete -C 'stackcook ssh comp'"),
    # A terminal within zsh: completion needs its line editor.
    "zsh": (
        "zsh",
        "-c",
        "zmodload zsh/zpty; zpty shell zsh -f -i;"
        " zpty -w shell 'autoload -Uz compinit; compinit -u; print set''up done';"
        " zpty -r shell line '*setup done*';"
        " zpty -w -n shell $'stackcook ssh comp\\t'; zpty -r shell line '*compute1*'; print $line",
    ),
}
"""Completes `stackcook ssh comp` in the current directory, and prints what was found."""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("deb")
    subprocess.run([ROOT / "setup" / "deb", out], check=True)
    return out / f"stackcook_{__version__}-1_all.deb"


@pytest.fixture(params=["bookworm", "trixie"])
def system(
    request: pytest.FixtureRequest, package: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The root of a new Debian with the package, without what it only recommends."""
    root = tmp_path_factory.mktemp(request.param) / "root"
    install = 'chroot "$1" apt-get install -qq -y --no-install-recommends /stackcook.deb >/dev/null'
    hooks = (f"upload '{package}' /stackcook.deb", install)
    options = (f"--customize-hook={hook}" for hook in hooks)
    try:
        debian(root, request.param, "bash-completion,fish,man-db,zsh", *options)
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def prepare_setup(system: Path) -> None:
    """Start no services, which would run in this machine's network; download gems only once."""
    policy = system / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    downloads = system / "root/.cache/stackcook/gems/downloaded/cache"
    downloads.mkdir(parents=True)
    for gem in (cache() / "gems").glob("*/cache/*.gem"):
        shutil.copy(gem, downloads)


@pytest.mark.skipif(os.geteuid() != 0, reason="mmdebstrap and chroot need root")
def test_the_package_works_in_a_clean_system(system: Path) -> None:
    environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"]

    def run(*argv: str, directory: str = "/root/cloud", timeout: float = 120.0) -> str:
        inside = [*CHROOT, str(system), "env", "-i", "-C", directory, *environment, *argv]
        done = subprocess.run(inside, capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    run("touch", "/root/key", directory="/root")
    hosts = ("--machines", "ssh", "--host", "127.0.0.2", "--host", "127.0.0.3")
    run("stackcook", "init", *hosts, "--key", "/root/key", "cloud", directory="/root")
    assert run("stackcook", "check").startswith("no problems found: 2 nodes, ")
    assert "check that the cloud works" in run("stackcook", "plan")
    page = " ".join(run("man", "stackcook-deploy").split())
    assert "stackcook-deploy - Deploy the cloud; after a failure, resume where it stopped" in page
    for shell, argv in COMPLETE.items():
        assert "compute1" in run(*argv), shell
    timer = system / "usr/lib/systemd/user/stackcook-expired.timer"
    assert timer.is_file() and timer.with_suffix(".service").is_file()
    assert [*(system / "etc/systemd/user").rglob(timer.name)] == [], "each user enables it"
    prepare_setup(system)
    done = data(run("stackcook", "setup", "--yes", "--json", timeout=SETUP))
    assert done["installed"] and done["gems"] > 100 and "goiardi" in done["packages"]
    assert done["unavailable"] == MISSING[system.parent.name.rstrip("0123456789")]
    assert run("stackcook", "setup").startswith("nothing to install: ")
    try:
        assert " created, 0 updated, 0 unchanged" in run("stackcook", "upload")
        assert "0 created, 0 updated, " in run("stackcook", "upload")
        knife = ("/root/.cache/stackcook/bin/knife", "-c", ".stackcook/chef/config.rb")
        assert "controller" in run(*knife, "role", "list")
    finally:
        run("stackcook", "server", "stop")
    software = run("stackcook", "sbom")
    for word in ("pypi  stackcook ", "gem   knife ", "deb   goiardi "):
        assert word in software


def test_the_package_deploys_a_cloud(package: Path) -> None:
    # Only on Debian 12: Debian 13 has no vagrant-lxc.
    _, [_, *install], [*_, destroy] = commands("README.md", "Quick start")
    [[init, deploy], *_] = commands("docs/first-cloud.md", "Deploy")
    with machine("debian", NETWORK) as fresh:
        fresh.add_user("alice")
        fresh.fill_cache("alice")
        dist = fresh.home("alice") / "dist"  # where `make deb` leaves it
        dist.mkdir()
        shutil.copy(package, dist)
        for command in install:
            fresh.run("alice", command, typed="y\n", timeout=SETUP)
        fresh.run("alice", init)
        assert VERIFIED.search(fresh.run("alice", deploy, timeout=DEPLOY).err)
        fresh.run("alice", destroy, where="mycloud", typed="y\n")
