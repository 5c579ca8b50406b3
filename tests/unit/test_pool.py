"""Connections that are kept between the steps of a node."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from stackcook.command import Completed
from stackcook.errors import NodeError
from stackcook.remote.base import Host
from stackcook.remote.pool import Pool

KNOWN = Path("/known_hosts")


def host(name: str = "one") -> Host:
    return Host(name, "10.0.115.10", "me", (Path("/key"),))


@dataclass
class Line:
    """A connection; ``dead`` once its machine is gone."""

    dead: bool = False
    closed: bool = False

    def run(self, command: str, **_: Any) -> Completed:
        if self.dead:
            raise NodeError("the SSH connection broke")
        return Completed(0, "")

    def become(self) -> None:
        return None

    def answers(self, timeout: float) -> bool:
        return not self.dead

    def close(self) -> None:
        self.closed = True


@dataclass
class Opener:
    """Opens lines, and notes them; ``now`` is the pool's clock."""

    lines: list[Line] = field(default_factory=list)
    now: float = 0.0

    def __call__(self, host: Host, known_hosts: Path, *, timeout: float = 20.0) -> Any:
        self.lines.append(Line())
        return self.lines[-1]

    def clock(self) -> float:
        return self.now


@pytest.fixture
def opener() -> Opener:
    return Opener()


@pytest.fixture
def pool(opener: Opener) -> Pool:
    return Pool(opener, most=2, clock=opener.clock)


def use(pool: Pool, name: str = "one") -> None:
    with pool(host(name), KNOWN) as remote:
        remote.run("true")


def test_one_connection_does_for_all_steps(pool: Pool, opener: Opener) -> None:
    use(pool)
    opener.now = 3600.0
    use(pool)
    use(pool)
    assert len(opener.lines) == 1 and not opener.lines[0].closed


def test_who_opens_otherwise_finds_what_is_there(pool: Pool, opener: Opener) -> None:
    other = Opener()
    pool(host("one"), KNOWN).close()
    for name in ("one", "two"):
        pool.by(other)(host(name), KNOWN).close()
    use(pool, "two")
    assert (len(opener.lines), len(other.lines)) == (1, 1)


def test_two_at_once_are_two(pool: Pool, opener: Opener) -> None:
    with pool(host(), KNOWN), pool(host(), KNOWN):
        assert len(opener.lines) == 2
    assert sorted(line.closed for line in opener.lines) == [False, True]


def test_one_that_failed_is_not_used_again(pool: Pool, opener: Opener) -> None:
    with pytest.raises(NodeError):
        with pool(host(), KNOWN) as remote:
            opener.lines[0].dead = True
            remote.run("true")
    assert opener.lines[0].closed
    use(pool)
    assert len(opener.lines) == 2


def test_one_whose_machine_was_started_anew_meanwhile_is_opened_again(
    pool: Pool, opener: Opener
) -> None:
    use(pool)
    opener.lines[0].dead, opener.now = True, 60.0
    use(pool)
    assert len(opener.lines) == 2 and opener.lines[0].closed


def test_the_longest_unused_is_closed_where_there_are_too_many(pool: Pool, opener: Opener) -> None:
    for name in ("one", "two", "three"):
        use(pool, name)
    assert [line.closed for line in opener.lines] == [True, False, False]


def test_closing_while_a_command_runs_ends_it(pool: Pool, opener: Opener) -> None:
    remote = pool(host(), KNOWN)
    opener.lines[0].run = lambda command, **_: remote.close() or Completed(0, "")  # type: ignore
    remote.run("sleep 1000")
    assert opener.lines[0].closed


def test_closing_the_pool_closes_what_is_idle(opener: Opener) -> None:
    pool = Pool(opener, clock=opener.clock)
    pool(host("one"), KNOWN).close()
    with pool(host("two"), KNOWN):
        pool.close()
        assert [line.closed for line in opener.lines] == [True, False]
    pool(host("one"), KNOWN)
    assert len(opener.lines) == 3
