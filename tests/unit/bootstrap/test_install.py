"""The installation of the client, by a real shell on this machine with programs of our own."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from stackcook.bootstrap import native
from stackcook.bootstrap.onnode import NodeTask
from stackcook.bootstrap.prebuilt import Prebuilt
from stackcook.bootstrap.preflight import HostFacts
from stackcook.bundle.archive import Bundle
from stackcook.client import gems
from stackcook.command import Command, Completed, Say
from stackcook.errors import NodeError
from stackcook.manifest.knifeoptions import parse
from stackcook.manifest.model import ChefServer, ClientPackage
from tests.runner import BaseRemote, FakeRun
from tests.unit.bootstrap.fakes import DEPLOY, ONE, Setting

TRIXIE = {"id": "debian", "codename": "trixie", "arch": "amd64"}
UBUNTU = {**TRIXIE, "id": "ubuntu", "codename": "noble"}


class Builder(FakeRun):
    """Stands for the programs that build packages and download gems on this machine."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.broken = ""

    def answer(self, command: Command, say: Say) -> Completed:
        words = [word for word in command.argv if word not in ("sudo", "-n")]
        if words[0].endswith("bash"):
            self.ran.append("build")
            if self.broken:
                return Completed(1, f"{self.broken}\n")
            Path(words[2]).write_text(f"the client for {words[3]}")
        else:
            self.ran.append("download")
            for name, version in gems().items():
                Path(words[2], f"{name}-{version}.gem").write_text(name)
        return Completed(0, "")


@dataclass
class Machine(BaseRemote):
    """A node that is this machine, with its files in ``root``.

    ``ran`` are the programs that ran, with their arguments.
    """

    root: Path

    def __post_init__(self) -> None:
        (self.root / "bin").mkdir(parents=True)
        for name in ("apt-get", "apt-helper", "gem", "own"):
            self.program(name, f'echo "{name} $*" >>{self.root}/ran')
        self.program("sudo", 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"')
        for name in ("cat", "head", "id", "ls", "mkdir", "mv", "rm", "sed", "sh", "sha256sum"):
            (self.root / "bin" / name).symlink_to(f"/bin/{name}")
        (self.root / "bin" / "tar").symlink_to("/bin/tar")

    def program(self, name: str, body: str) -> None:
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin:{self.root}/bin\n{body}\n")
        path.chmod(0o755)

    @property
    def ran(self) -> list[str]:
        path = self.root / "ran"
        lines = path.read_text().splitlines() if path.exists() else []
        options = (
            "-o DPkg::Lock::Timeout=300 -o APT::Update::Error-Mode=any"
            " -qq -y --no-install-recommends "
        )
        return [line.replace(options, "") for line in lines]

    def answer(self, command: str, stdin: str, content: bytes) -> Completed:
        given = self._here(stdin).encode() + content
        done = subprocess.run(
            ["/bin/sh", "-c", self._here(command)],
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": str(self.root / "bin")},
        )
        return Completed(done.returncode, done.stdout.decode())

    def _here(self, text: str) -> str:
        for place in ("/var/cache/stackcook", "/run/stackcook.pid"):
            text = text.replace(place, f"{self.root}/{Path(place).name}")
        return text.replace("/usr/lib/apt/apt-helper", "apt-helper")

    def __call__(self, *_: object, **__: object) -> Machine:
        return self


@dataclass
class Installation:
    """Installs the client on a machine of its own for each call."""

    setting: Setting
    tmp_path: Path
    builder: Builder = field(default_factory=Builder)
    server: ChefServer | None = None
    bundle: Bundle | None = None

    def __post_init__(self) -> None:
        self.prebuilt = Prebuilt(self.builder)
        self.machines: list[Machine] = []
        self.said: list[str] = []

    def machine(self) -> Machine:
        self.machines.append(Machine(self.tmp_path / f"node{len(self.machines)}"))
        return self.machines[-1]

    def __call__(
        self,
        options: str = "",
        *,
        facts: dict[str, str] = TRIXIE,
        client: str = "",
        package: ClientPackage | None = None,
        machine: Machine | None = None,
    ) -> list[str]:
        """The programs that ran on the node; ``client`` is the version that is there."""
        machine = machine or self.machine()
        if client:
            machine.program("chef-client", f"echo 'Chef Infra Client: {client}'")
            facts = {**facts, "client": "yes"}
        context = replace(
            self.setting.context,
            opener=machine,
            package=package,
            bundle=self.bundle,
            prebuilt=self.prebuilt,
        )
        if self.server:
            context = replace(context, server=self.server)
        node = replace(ONE, options=parse(options))
        task = NodeTask(context, "install", node, self.setting.host, DEPLOY, 60, self.said.append)
        native.install_client(task, HostFacts(facts, "http://10.0.115.1:4545", 0.0))
        return machine.ran


@pytest.fixture
def install(setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Installation(setting, tmp_path)


@pytest.mark.parametrize(
    "text",
    ["", "--bootstrap-version 18", "--bootstrap-version 18.10.17", "--bootstrap-version latest"],
)
def test_what_is_there_and_wanted_is_kept(install: Installation, text: str) -> None:
    assert install(text, client="18.10.17") == []
    assert install.builder.ran == []


def test_a_host_gets_a_package_that_was_built_here_once(install: Installation) -> None:
    for text in ("", "--bootstrap-version 18.10"):
        (ran,) = install(text)
        assert ran.startswith("apt-get install --no-download ") and ran.endswith("/client.deb")
    assert install.builder.ran == ["build"]


def test_the_package_arrives_as_it_was_built(install: Installation) -> None:
    machine = install.machine()
    machine.program("apt-get", 'for last; do :; done; cp "$last" "$(dirname "$0")/../got"')
    install(machine=machine)
    assert (machine.root / "got").read_text() == "the client for trixie"
    assert not list((machine.root / "stackcook").iterdir())  # nothing is left


def test_a_damaged_package_of_the_cache_is_built_again(install: Installation) -> None:
    install()
    (package,) = (install.tmp_path / "cache").rglob("*.deb")
    package.write_text("half of")
    install.prebuilt = Prebuilt(install.builder)
    install()
    assert install.builder.ran == ["build", "build"]


def test_the_mirror_is_asked_for_what_the_host_lacks(install: Installation) -> None:
    machine = install.machine()
    machine.program(
        "apt-get",
        f'echo "$*" | sed "s/.*recommends //" >>{machine.root}/ran\n'
        'case "$*" in *--no-download*) exit 100 ;; esac',
    )
    ran = install(machine=machine)
    assert [line.rsplit("/", 2)[0].split(" /")[0] for line in ran] == [
        "install --no-download",
        "update",
        "install",
    ]


@pytest.mark.parametrize("broken", ["", "mmdebstrap: command not found"])
def test_without_a_package_the_gems_of_this_machine_are_compiled(
    install: Installation, broken: str
) -> None:
    install.builder.broken = broken
    for _ in range(2):
        *apt, gem = install(facts=TRIXIE if broken else UBUNTU)
        assert [line.split()[1] for line in apt] == ["update", "install"]
        locked = [f"{name}-{version}.gem" for name, version in gems().items()]
        local = "gem install --no-document --local --ignore-dependencies"
        assert gem == f"{local} {' '.join(locked)}"
    assert install.builder.ran == [*(["build"] if broken else []), "download"]
    why = broken or "packages are built only for Debian"
    assert any(why in line and "compiled on the node" in line for line in install.said)


@pytest.mark.parametrize("wanted, asked", [("17.10", "~>17.10.0"), ("17.9.26", "17.9.26")])
def test_another_version_is_installed_over_it(
    install: Installation, wanted: str, asked: str
) -> None:
    ran = install(f"--bootstrap-version {wanted}", client="18.10.17")
    assert ran[-1] == f"gem install --no-document chef:{asked} chef-bin:{asked}"


def test_the_user_s_own_commands_are_run_instead_and_before(install: Installation) -> None:
    text = "--bootstrap-install-command 'own install' --bootstrap-preinstall-command 'own before'"
    assert install(text) == ["own before", "own install"]


def test_a_script_of_the_user_s_is_downloaded_as_a_whole_and_then_run(
    install: Installation,
) -> None:
    machine = install.machine()
    machine.program("apt-helper", 'echo "own $2" >"$3"')
    assert install("--bootstrap-url http://10.0.115.1/install.sh", machine=machine) == [
        "own http://10.0.115.1/install.sh"
    ]


def test_a_package_of_the_user_s_is_sent_if_its_checksum_is_right(
    install: Installation,
) -> None:
    path = install.tmp_path / "chef.deb"
    path.write_text("mine")
    sha256 = hashlib.sha256(b"mine").hexdigest()
    for package in (ClientPackage(path), ClientPackage(path, sha256=sha256)):
        (ran,) = install(package=package)
        assert ran.endswith("/client.deb")
    with pytest.raises(NodeError, match="cannot copy chef.deb .*FAILED"):
        install(package=ClientPackage(path, sha256="0" * 64))
    assert install.machines[-1].ran == [] and install.builder.ran == []


def test_a_package_at_a_url_is_downloaded_by_apt_with_its_checksum(
    install: Installation,
) -> None:
    url, sha256 = "http://10.0.115.1/chef.deb", "ab" * 32
    helper, apt = install(package=ClientPackage(url=url, sha256=sha256))
    assert helper.startswith(f"apt-helper download-file {url} ")
    assert helper.endswith(f" SHA256:{sha256}") and apt.endswith("/client.deb")


def test_a_bundle_has_the_locked_client(install: Installation, setting: Setting) -> None:
    install.bundle = Bundle(install.tmp_path, {})
    assert install() == ["apt-get install stackcook-chef-client"]
    with pytest.raises(NodeError, match="the bundle has version 18"):
        install("--bootstrap-version 17")
    assert install.builder.ran == []


def test_proxies_and_certificate_authorities_reach_all_commands(
    install: Installation, setting: Setting
) -> None:
    authorities = install.tmp_path / "ca.pem"
    authorities.write_text("an authority\n")
    proxies = {"bootstrap_proxy": "http://10.0.0.1:3128", "bootstrap_no_proxy": "10.0.0.2"}
    install.server = replace(setting.context.server, proxies=proxies)
    machine = install.machine()
    machine.program(
        "own",
        f'echo "$http_proxy $https_proxy $no_proxy" >{machine.root}/ran\n'
        f'cat "$SSL_CERT_FILE" >>{machine.root}/ran',
    )
    text = "--bootstrap-install-command own --bootstrap-proxy-user me --bootstrap-proxy-pass p@ss"
    ran = install(text, package=ClientPackage(ca_file=authorities), machine=machine)
    url = "http://me:p%40ss@10.0.0.1:3128"
    assert ran[0] == f"{url} {url} 10.0.0.2" and "an authority" in ran


@pytest.mark.parametrize(
    "program, body, message, transient",
    [
        (
            "apt-get",
            "E: Failed to fetch http://127.0.0.9/InRelease  Could not connect to 127.0.0.9:80"
            " (127.0.0.9). - connect (111: Connection refused)",
            "apt-get update failed with status 7: E: Failed to fetch http://127.0.0.9",
            True,
        ),
        (
            "apt-get",
            "E: Unable to locate package ruby",
            "apt-get update failed with status 7: E: Unable to locate package ruby",
            False,
        ),
    ],
)
def test_a_failure_names_the_command_and_its_last_lines(
    install: Installation, program: str, body: str, message: str, transient: bool
) -> None:
    machine = install.machine()
    machine.program(program, f"echo '{body}'; exit 7")
    with pytest.raises(NodeError) as caught:
        install(machine=machine)
    assert message in str(caught.value) and caught.value.transient is transient


@pytest.mark.parametrize("option", ["preinstall", "install"])
def test_a_failure_of_the_user_s_own_command_says_so(install: Installation, option: str) -> None:
    text = f"--bootstrap-{option}-command 'own; echo out of luck; false'"
    with pytest.raises(NodeError) as caught:
        install(text)
    what = f"the command of --bootstrap-{option}-command failed with status 1: "
    assert what in str(caught.value) and "out of luck" in str(caught.value)
    assert install.machines[-1].ran == ["own "]


def test_the_archive_has_the_gems_in_their_order(install: Installation) -> None:
    path = install.prebuilt.archive(print, lambda end: None)
    with tarfile.open(path) as archive:
        listed = archive.extractfile("list")
        assert listed and listed.read().decode().split() == archive.getnames()[:-1]
