"""Starts the Chef servers that the contract tests talk to, each with a state of its own."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from stackcook.chef.rest.client import ChefClient
from stackcook.chef.server.embedded import EmbeddedServer
from stackcook.chef.server.process import Process
from stackcook.command import find_program
from stackcook.errors import ChefServerError
from stackcook.manifest.model import ChefServer

SERVERS = ("goiardi", "chef-zero")
"""goiardi checks signatures and speaks API 0 and 1; chef-zero speaks 2 and knows organizations."""


def free_port() -> int:
    """A port of 127.0.0.1 that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@contextmanager
def running(name: str, directory: Path) -> Iterator[ChefServer]:
    """One of SERVERS, which keeps what it has to keep in ``directory``."""
    if name == "chef-zero":
        with chef_zero(directory, free_port()) as root:
            yield organization(root, "chef")
        return
    embedded = EmbeddedServer(directory, "127.0.0.1", free_port())
    try:
        yield embedded.start()
    finally:
        embedded.stop()


@contextmanager
def chef_zero(directory: Path, port: int) -> Iterator[ChefServer]:
    """A chef-zero without organizations yet, which takes any signature."""
    key = directory / "zero.pem"
    pem = generate_private_key(65537, 2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    key.write_bytes(pem)
    log = directory / "zero.log"
    program = str(find_program("chef-zero"))
    argv = (program, "--multi-org", "--host", "127.0.0.1", "--port", str(port))
    process = Process.spawn(argv, log, os.environ)
    root = ChefServer(f"http://127.0.0.1:{port}", "pivotal", key)
    try:
        with ChefClient(root) as client:
            wait(lambda: not process.alive or _answers(client))
            assert process.alive, log.read_text()
        yield root
    finally:
        assert process.end(20)


def organization(root: ChefServer, name: str) -> ChefServer:
    """A new organization of a chef-zero."""
    with ChefClient(root) as client:
        client.post("/organizations", {"name": name, "full_name": name})
    return replace(root, url=f"{root.url}/organizations/{name}")


def wait(condition: Callable[[], bool]) -> None:
    """Poll until the condition holds, for a minute at most."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited for a minute"
        time.sleep(0.05)


def _answers(client: ChefClient) -> bool:
    """Whether the server takes a request."""
    try:
        client.get("/organizations")
    except ChefServerError:
        return False
    return True
