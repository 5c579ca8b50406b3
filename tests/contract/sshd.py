"""A real sshd on this machine, with users of its own: it runs in a mount namespace in which
/etc/passwd, /etc/shadow and sudo's rules are others.

``STACKCOOK_SSHD`` names another sshd than that of Debian's openssh-server.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

PASSWORD = "s3same $x"
USER = "debian"

_START = """
set -e
for file in passwd shadow sudoers; do mount --bind "$1/$file" "/etc/$file"; done
mkdir -p /run/sshd
exec "$2" -D -e -f "$1/config"
"""


@dataclass(frozen=True)
class Sshd:
    """Where it listens, and its directory: ``authorized_keys``, and ``ca.pub`` of certificates."""

    address: str
    port: int
    directory: Path

    def allow(self, *keys: Path) -> None:
        """Let those in who have one of these keys."""
        lines = (key.with_name(f"{key.name}.pub").read_text() for key in keys)
        (self.directory / "authorized_keys").write_text("".join(lines))


def generate(path: Path, passphrase: str = "") -> Path:
    """A private key as ssh-keygen makes it."""
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-a", "1", "-N", passphrase, "-f", str(path)]
    subprocess.run(argv, check=True)
    return path


@contextmanager
def started(address: str) -> Iterator[Sshd]:
    """sshd, until the end of the block. Skips the test where it can't run.

    Its directory is not one of pytest's: a user who logs in has to read the keys there, and each
    pytest that starts takes these permissions from all of them.
    """
    program = os.environ.get("STACKCOOK_SSHD") or shutil.which("sshd", path="/usr/sbin:/usr/bin")
    if not program or os.geteuid():
        pytest.skip("needs root, and sshd of Debian's openssh-server")
    with tempfile.TemporaryDirectory(prefix="stackcook-sshd-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        with socket.create_server((address, 0), family=_family(address)) as free:
            port = free.getsockname()[1]
        _write(directory, address, port)
        log = directory / "log"
        with log.open("w") as out:
            argv = ["unshare", "--mount", "sh", "-c", _START, "sh", str(directory), program]
            process = subprocess.Popen(argv, stdout=out, stderr=out)
        try:
            _wait(process, (address, port), log)
            yield Sshd(address, port, directory)
        finally:
            process.terminate()
            process.wait(10)


def _write(directory: Path, address: str, port: int) -> None:
    host_key = generate(directory / "host_key")
    hashed = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"],
        input=f"{PASSWORD}\n",
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    users = ["root:x:0:0::/root:/bin/sh", "sshd:x:105:65534::/run/sshd:/usr/sbin/nologin"]
    users += [f"{USER}:x:1500:1500::{directory}:/bin/bash", "nobody:x:65534:65534::/:/bin/sh"]
    settings = {
        "ListenAddress": address,
        "Port": port,
        "HostKey": host_key,
        "PidFile": "none",
        "AuthorizedKeysFile": directory / "authorized_keys",
        "TrustedUserCAKeys": directory / "ca.pub",
        "PasswordAuthentication": "yes",
        "KbdInteractiveAuthentication": "no",
        "UsePAM": "no",
        "StrictModes": "no",
    }
    texts = {
        "passwd": "".join(f"{user}\n" for user in users),
        "shadow": f"root:*:19000::::::\nsshd:*:19000::::::\n{USER}:{hashed}:19000::::::\n",
        "sudoers": f"Defaults timestamp_timeout=0, !lecture\n{USER} ALL=(ALL) ALL\n",
        "config": "".join(f"{name} {value}\n" for name, value in settings.items()),
        "authorized_keys": "",
        "ca.pub": "",
    }
    modes = {"shadow": 0o600, "sudoers": 0o440}
    for name, text in texts.items():
        (directory / name).write_text(text)
        (directory / name).chmod(modes.get(name, 0o644))


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _wait(process: subprocess.Popen[bytes], place: tuple[str, int], log: Path) -> None:
    """Until it listens; fails with its log if it ends, or after ten seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(place, 1):
            return
        time.sleep(0.02)
    pytest.fail(f"sshd does not run: {log.read_text()}")
