"""The hosts that OpenSSH's client configuration describes, as ssh(1) reads it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.command import Secret
from stackcook.errors import UsageError
from stackcook.remote.base import Access, Host, HostKeys
from stackcook.remote.config import Config
from stackcook.remote.resolve import Wanted, resolve

NO_AGENT = Access(agent="")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The user's ~/.ssh."""
    directory = tmp_path / ".ssh"
    directory.mkdir()
    return directory


def reached(home: Path, text: str, name: str, access: Access = NO_AGENT, **wanted: object) -> Host:
    """The host that ``ssh NAME`` reaches with the configuration ``text``."""
    (home / "config").write_text(text)
    config = Config(home.parent, home / "system")
    return resolve(replace(Wanted(name, name), **wanted), config, access)  # type: ignore[arg-type]


def test_a_jump_host_by_its_address(home: Path) -> None:
    host = reached(home, "Host web\n ProxyJump me@192.0.2.1:2200\n", "web")  # ssh adds brackets
    assert host.gateway and (host.gateway.address, host.gateway.port) == ("192.0.2.1", 2200)
    host = reached(home, "Host web\n ProxyJump 192.0.2.1\n", "web")
    assert host.gateway and (host.gateway.address, host.gateway.port) == ("192.0.2.1", 22)


def test_a_host_has_what_its_blocks_say_and_the_first_counts(home: Path) -> None:
    text = "Host web\n HostName 192.0.2.7\n User one\nHost *\n User two\n Port 2222\n"
    host = reached(home, text, "web")
    assert (host.address, host.user, host.port) == ("192.0.2.7", "one", 2222)
    host = reached(home, text, "web", user="me", port=22)
    assert (host.address, host.user, host.port) == ("192.0.2.7", "me", 22)
    assert reached(home, "", "web").user == "root"


def test_the_systems_configuration_comes_last(home: Path) -> None:
    (home / "system").write_text("User everybody\nPort 99\n")
    host = reached(home, "Host web\n User me\n", "web")
    assert (host.user, host.port) == ("me", 99)


def test_ssh_reads_what_the_files_include(home: Path) -> None:
    (home / "conf.d").mkdir()
    (home / "conf.d" / "b").write_text("Host web\n Port 2\n")
    (home / "conf.d" / "a").write_text("Host web\n Port 1\n")
    (home / "nested").write_text("Host web\n User nested\nHost db\n User nested\n")
    text = (
        f"Include {home}/conf.d/*\nPort 3\nHost web\n Include {home}/nested\n HostName 192.0.2.7\n"
    )
    web, db = reached(home, text, "web"), reached(home, text, "db")
    assert (web.port, web.user, web.address) == (1, "nested", "192.0.2.7")
    assert (db.port, db.user) == (3, "root"), "the Include is in a block for another host"


@pytest.mark.parametrize(
    "block, user",
    [
        ("Match host 192.0.2.*", "matched"),
        ("Match originalhost web", "matched"),
        ("Match host other", "root"),
        ('Match exec "test %n = web"', "matched"),
        ('Match originalhost web exec "false"', "root"),
        ("Host !web *", "root"),
    ],
)
def test_match(home: Path, block: str, user: str) -> None:
    text = f"Host web\n HostName 192.0.2.7\n{block}\n User matched\n"
    assert reached(home, text, "web").user == user


def test_blocks_match_what_the_manifest_says(home: Path) -> None:
    text = "Match host web user me\n Port 2222\n"
    assert reached(home, text, "web", user="me").port == 2222
    assert reached(home, text, "web").port == 22
    assert reached(home, "Match final\n Port 2222\n", "web").port == 2222


def test_addresses_are_looked_up_too(home: Path) -> None:
    text = "Host 192.0.2.*\n User lab\n"
    assert reached(home, text, "192.0.2.7").user == "lab"
    assert reached(home, text, "fe80::1%lo").address == "fe80::1%lo"


def test_ssh_says_which_line_is_wrong(home: Path) -> None:
    (home / "part").write_text("User me\nPort many\n")
    with pytest.raises(UsageError) as raised:
        reached(home, f"Include {home}/part\n", "web")
    remedy = "correct it; `ssh -G web` checks it"
    assert str(raised.value) == f"{home}/part:2: Bad port 'many'; {remedy}"
    with pytest.raises(UsageError, match=f"{home}/config: Too many recursive .* includes"):
        reached(home, f"Include {home}/config\n", "web")


def test_a_host_is_looked_up_once(home: Path) -> None:
    config = Config(home.parent, home / "system")
    (home / "config").write_text("Port 1\n")
    assert [*config.lookup("web", {})["port"]] == ["1"]
    (home / "config").write_text("Port 2\n")
    assert [*config.lookup("web", {})["port"]] == ["1"]
    assert [*config.lookup("db", {})["port"]] == ["2"]


def test_jumps_follow_each_other(home: Path) -> None:
    text = (
        "Host web\n ProxyJump one,me@two:2200\nHost one\n HostName 192.0.2.1\n User first\n"
        "Host two\n ProxyJump other\nHost *\n IdentityFile /lab\n"
    )
    access = replace(NO_AGENT, password=Secret("pw"), become=Secret("pw"), accept_new=True)
    host = reached(home, text, "web", access)
    assert [each.name for each in host.way] == ["gateway one", "gateway two", "web"]
    one, two, _ = host.way
    assert (one.user, one.address, one.keys) == ("first", "192.0.2.1", (Path("/lab"),))
    assert (two.user, two.address, two.port) == ("me", "two", 2200)
    assert host.password and not one.password and not two.become
    assert one.host_keys is two.host_keys is host.host_keys is HostKeys.NEW
    host = reached(home, "Host web\n ProxyJump none\nHost *\n ProxyJump one\n", "web")
    assert host.gateway is None


def test_the_gateway_of_a_gateway_is_gone_through(home: Path) -> None:
    host = reached(home, "Host web\n ProxyJump two\nHost two\n ProxyJump one\n", "web")
    assert [each.address for each in host.way] == ["one", "two", "web"]


def test_jumps_in_a_circle_are_reported(home: Path) -> None:
    with pytest.raises(UsageError, match="ProxyJump of a → b → a goes in a circle"):
        reached(home, "Host a\n ProxyJump b\nHost b\n ProxyJump a\n", "a")


def test_the_command_of_a_proxy_gets_what_is_asked_for(home: Path) -> None:
    text = "Host web\n HostName 192.0.2.7\n ProxyCommand nc -x %r@%n %h %p %%\n"
    host = reached(home, text, "web", user="me", port=2222)
    assert host.proxy == "nc -x me@web 192.0.2.7 2222 %"
    first = "Host web\n ProxyCommand nc %h %p\n ProxyJump one\n"
    assert reached(home, first, "web").gateway is None
    assert reached(home, "ProxyCommand none\n", "web").proxy == ""


def test_keys_are_those_that_ssh_would_try(home: Path) -> None:
    for name in ("id_rsa", "id_ed25519"):
        (home / name).touch()
    own = (home / "id_rsa", home / "id_ed25519")
    agent = Access(agent="/agent")
    assert reached(home, "", "web").keys == own
    host = reached(home, "IdentityFile /a\nIdentityFile ~/b\nIdentitiesOnly yes\n", "web", agent)
    assert host.keys == (Path("/a"), home.parent / "b") and host.only_keys
    assert host.agent == "/agent"
    tokens = "HostName 192.0.2.7\nUser me\nIdentityFile %d/%n-%h-%r-%%-%x\n"
    assert reached(home, tokens, "web").keys == (home.parent / "web-192.0.2.7-me-%-%x",)
    assert reached(home, "IdentityFile /a\n", "web", keys=(Path("/own"),)).keys == (Path("/own"),)
    assert reached(home, "IdentityAgent none\n", "web", agent).agent == ""
    assert reached(home, "IdentityAgent /other\n", "web", agent).agent == "/other"
    (home / "id_lab.pub").touch()
    kept = f"IdentityFile {home}/id_lab\nIdentityFile {home}/id_none\nIdentityFile /none\n"
    assert reached(home, kept, "web").keys == (home / "id_lab", Path("/none"))
    assert reached(home, "CertificateFile /c\n", "web").certificates == (Path("/c"),)


@pytest.mark.parametrize(
    "value, without, accepting",
    [
        ("ask", HostKeys.ASK, HostKeys.NEW),
        ("yes", HostKeys.YES, HostKeys.YES),
        ("accept-new", HostKeys.NEW, HostKeys.NEW),
        ("no", HostKeys.NO, HostKeys.NO),
        ("off", HostKeys.NO, HostKeys.NO),
    ],
)
def test_strict_host_key_checking(
    home: Path, value: str, without: HostKeys, accepting: HostKeys
) -> None:
    text = f"StrictHostKeyChecking {value}\n"
    assert reached(home, text, "web").host_keys is without
    accept = replace(NO_AGENT, accept_new=True)
    assert reached(home, text, "web", accept).host_keys is accepting


def test_known_hosts_files(home: Path) -> None:
    found = reached(home, "", "web").known_hosts
    assert found[0] == home / "known_hosts" and Path("/etc/ssh/ssh_known_hosts") in found
    text = "UserKnownHostsFile /a /b\nGlobalKnownHostsFile none\nHostKeyAlias other\n"
    host = reached(home, text, "web", port=2222)
    assert host.known_hosts == (Path("/a"), Path("/b")) and host.alias == "other"
