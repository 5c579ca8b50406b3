"""Host keys: whose files know them, and what happens to those that are not known."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import paramiko
import pytest

from stackcook.errors import NodeError
from stackcook.remote.base import Host, HostKeys
from stackcook.remote.hostkeys import adopt, check, fingerprint, forget, known, move
from tests.started import environment

KEY, OTHER = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
HOST = Host("one", "192.0.2.7", "me", (), host_keys=HostKeys.ASK)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The project's file."""
    return tmp_path / "state" / "known_hosts"


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """The user's file."""
    return tmp_path / "known_hosts"


def line(names: str, key: Any = KEY) -> str:
    return f"{names} {key.get_name()} {key.get_base64()}\n"


@pytest.mark.parametrize(
    "names",
    [
        "192.0.2.7",
        "web,192.0.2.7",
        "192.0.2.*",
        pytest.param(paramiko.HostKeys.hash_host("192.0.2.7"), id="hashed"),
        "# comment\n192.0.2.7",
    ],
)
def test_a_key_in_the_users_file_is_accepted(own: Path, users: Path, names: str) -> None:
    users.write_text(line("192.0.2.8", OTHER) + line(names))
    check(replace(HOST, known_hosts=(users,)), KEY, own)
    assert own.read_text() == ""


@pytest.mark.parametrize(
    "names", ["192.0.2.70", "!192.0.2.7,192.0.2.*", "|1|bad|bad", "# 192.0.2.7"]
)
def test_a_key_of_another_host_is_not(own: Path, users: Path, names: str) -> None:
    users.write_text(line(names))
    with pytest.raises(NodeError, match="is not known"):
        check(replace(HOST, known_hosts=(users,)), KEY, own)


def test_another_port_is_another_host(own: Path, users: Path) -> None:
    host = replace(HOST, address="fe80::1%eth0", port=2222, known_hosts=(users,))
    users.write_text(line("[fe80::1%eth0]:2222"))
    check(host, KEY, own)
    with pytest.raises(NodeError, match="is not known"):
        check(replace(host, port=22), KEY, own)


def test_an_unknown_key_is_shown_with_the_option_that_accepts_it(own: Path) -> None:
    with pytest.raises(NodeError) as refused:
        check(HOST, KEY, own)
    assert fingerprint(KEY) in str(refused.value) and "--accept-new-host-keys" in str(refused.value)
    assert own.read_text() == ""
    with pytest.raises(NodeError, match="StrictHostKeyChecking is yes"):
        check(replace(HOST, host_keys=HostKeys.YES), KEY, own)
    check(replace(HOST, host_keys=HostKeys.NO), KEY, own)
    assert own.read_text() == ""
    check(replace(HOST, host_keys=HostKeys.NEW), KEY, own)
    assert own.read_text() == line("192.0.2.7")


@pytest.mark.parametrize("policy", [HostKeys.YES, HostKeys.ASK, HostKeys.NEW])
def test_a_changed_key_is_named_with_file_and_line(
    own: Path, users: Path, policy: HostKeys
) -> None:
    users.write_text("\n" + line("192.0.2.7", OTHER))
    host = replace(HOST, known_hosts=(users,), host_keys=policy)
    with pytest.raises(
        NodeError, match=f"has changed .*line 2 of {users}.* -f {users} -R 192.0.2.7"
    ):
        check(host, KEY, own)
    check(replace(host, host_keys=HostKeys.NO), KEY, own)
    assert own.read_text() == ""


def test_a_revoked_key_is_refused_whatever_the_policy(own: Path, users: Path) -> None:
    users.write_text("@revoked " + line("*") + line("192.0.2.7"))
    host = replace(HOST, known_hosts=(users,), host_keys=HostKeys.NO, host_key=fingerprint(KEY))
    with pytest.raises(NodeError, match="is revoked by line 1"):
        check(host, KEY, own)
    check(replace(host, host_key=""), OTHER, own)


def test_an_authoritys_key_is_not_the_hosts(own: Path, users: Path) -> None:
    users.write_text("@cert-authority " + line("*"))
    with pytest.raises(NodeError, match="is not known"):
        check(replace(HOST, known_hosts=(users,)), KEY, own)


def test_the_fingerprint_of_the_manifest_decides(own: Path, users: Path) -> None:
    users.write_text(line("192.0.2.7", OTHER))
    host = replace(HOST, known_hosts=(users,), host_key=fingerprint(KEY))
    check(host, KEY, own)
    with pytest.raises(NodeError, match=re.escape(f"is {fingerprint(OTHER)}, but `host_key` is")):
        check(host, OTHER, own)


def test_damaged_lines_are_an_error_only_in_our_own_file(own: Path, users: Path) -> None:
    damaged = line("192.0.2.7")[:-9] + "\n"
    users.write_text(damaged)
    assert known(replace(HOST, known_hosts=(users,)), own) == ()
    own.write_text(damaged)
    with pytest.raises(NodeError, match="invalid SSH host key on line 1"):
        known(HOST, own)


def test_what_only_the_users_file_knows_is_copied_for_knife(own: Path, users: Path) -> None:
    users.write_text(line("192.0.2.*") + "@revoked " + line("192.0.2.7", OTHER))
    host = replace(HOST, known_hosts=(users,))
    for _ in range(2):
        adopt(host, own)
        assert own.read_text() == line("192.0.2.7")


def test_a_machine_that_has_moved_keeps_its_key(own: Path) -> None:
    own.parent.mkdir()
    own.write_text(line("192.0.2.6") + line("192.0.2.7", OTHER))
    move({"192.0.2.6": "192.0.2.7", "192.0.2.7": "192.0.2.8"}, own)
    check(HOST, KEY, own)
    with pytest.raises(NodeError, match="has changed"):
        check(HOST, OTHER, own)
    check(replace(HOST, address="192.0.2.8"), OTHER, own)


FULL_DISK = """
import pathlib, resource, signal, sys
from stackcook.remote.hostkeys import forget
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    forget("192.0.2.6", pathlib.Path(sys.argv[1]))
except OSError:
    sys.exit(3)
"""


def test_no_key_is_lost_where_nothing_can_be_written(own: Path) -> None:
    own.parent.mkdir()
    own.write_text(text := line("192.0.2.6") + line("192.0.2.7"))
    argv = [sys.executable, "-c", FULL_DISK, str(own)]
    assert subprocess.run(argv, env=environment()).returncode == 3
    assert own.read_text() == text


@pytest.mark.parametrize("more", [b"\n", b"# by J\xfcrgen\n", b"192.0.2.9"])
def test_other_lines_stay_as_they_are(own: Path, more: bytes) -> None:
    own.parent.mkdir()
    own.write_bytes(line("192.0.2.6").encode() + more)
    move({"192.0.2.6": "192.0.2.7"}, own)
    check(replace(HOST, address="192.0.2.7"), KEY, own)
    forget("192.0.2.7", own)
    assert own.read_bytes() == more
