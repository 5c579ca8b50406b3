"""Nodes of a cloud from Python, over a real sshd whose sudo asks for a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackcook import Cloud
from stackcook.command import Secret
from stackcook.errors import NodeError
from stackcook.remote.base import Access
from stackcook.run.events import RunStarted
from stackcook.run.state import State
from tests.contract.sshd import PASSWORD, USER, generate, started

CONTENT = bytes(range(256)) * 1000


def test_commands_and_files(tmp_path: Path) -> None:
    with started("127.0.0.73") as sshd:
        key = generate(tmp_path / "key")
        sshd.allow(key)
        (tmp_path / "infrastructure.yml").write_text(
            "nodes: [web]\n"
            "stackcook:\n"
            "  machines: ssh\n"
            f"  nodes: {{web: {{address: {sshd.address}, port: {sshd.port}, user: {USER},"
            f" key: {key}}}}}\n"
        )
        with State(tmp_path / ".stackcook") as state:
            state(RunStarted("deploy", 1.0, ("web",)))
        access = Access(become=Secret(PASSWORD), accept_new=True, agent="")
        with Cloud.open(tmp_path / "infrastructure.yml", access=access) as cloud:
            node = cloud.nodes["web"]
            assert node.run(["whoami"]).output == f"{USER}\n"
            done = node.run("whoami; cat", stdin="a text", sudo=True)
            assert (done.output, done.errors) == ("root\na text\n", "")
            theirs, roots = f"{sshd.directory}/theirs", f"{tmp_path}/roots"
            with pytest.raises(NodeError, match="Permission denied"):
                node.put(CONTENT, theirs)
            for path in (theirs, roots):
                node.put(CONTENT, path, mode=0o600, sudo=True)
                assert Path(path).read_bytes() == CONTENT
                assert Path(path).stat().st_mode & 0o777 == 0o600
                assert node.get(path, tmp_path / "copy", sudo=True) == CONTENT
            assert (tmp_path / "copy").read_bytes() == CONTENT
            with pytest.raises(NodeError, match="Permission denied"):
                node.get(theirs)
            with pytest.raises(NodeError, match="^web: "):
                node.run("sleep 60", timeout=0.2)
            assert node.run("whoami").output == f"{USER}\n"
