"""``make deb``: the package in clean Debian systems, used as its user would."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackcook import __version__
from stackcook.cache import cache
from tests.output import data
from tests.started import ROOT

SOURCES = r"""
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    sed -nE "s/^(\S+) $codename(|-updates|-security) main\$/deb \1 SUITE\2 main/p" | sort -u
"""
"""Prints this machine's apt sources for another suite."""

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
    suite = request.param
    root = tmp_path_factory.mktemp(suite) / "root"
    sources = subprocess.run(
        ["bash", "-c", SOURCES.replace("SUITE", suite)], check=True, capture_output=True, text=True
    )
    install = 'chroot "$1" apt-get install -qq -y --no-install-recommends /stackcook.deb >/dev/null'
    argv = ["mmdebstrap", "--quiet", "--mode=root", "--variant=apt"]
    argv += ["--include=bash-completion,fish,man-db,zsh", "--dpkgopt=force-unsafe-io"]
    argv += [f"--customize-hook=upload '{package}' /stackcook.deb"]
    argv += [f"--customize-hook={install}", suite, str(root), "-"]
    try:
        subprocess.run(argv, input=sources.stdout, text=True, check=True)
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
