"""Who listens, of many that are asked at once."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from stackcook.machines.probe import AT_ONCE, listening


def test_more_than_are_asked_at_once_are_all_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=2 * AT_ONCE) as server:
        port = server.getsockname()[1]
        there = {(f"127.0.0.{n % 200 + 1}", port + n // 200) for n in range(3 * AT_ONCE)}
        assert listening([*there, *there], 10) == {("127.0.0.1", port)}


def test_one_that_does_not_answer_counts_as_absent_in_time_and_keeps_nobody_waiting() -> None:
    with ExitStack() as stack:
        deaf, server = (
            stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=n)) for n in (0, 5)
        )
        address = deaf.getsockname()
        for _ in range(4):  # its queue is full: what comes now is dropped, as by a host that is off
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(address)
        assert listening([address, server.getsockname()], 0.3) == {server.getsockname()}
