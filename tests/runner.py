"""What stands for programs of this machine, and for a connection to a node, in tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from stackcook.command import Command, Completed, Say
from stackcook.remote.base import Remote


class FakeRun:
    """Has the parameters of a ``Runner``; a subclass says how a command ends."""

    def __call__(
        self,
        command: Command,
        *,
        on_line: Say | None = None,
        timeout: float | None = None,
        on_start: Callable[[Callable[[], None]], None] | None = None,
    ) -> Completed:
        return self.answer(command, on_line or (lambda line: None))

    def answer(self, command: Command, say: Say) -> Completed:
        """How ``command`` ends; ``say`` takes each line that it prints."""
        raise NotImplementedError


class BaseRemote(Remote):
    """A connection that stays open; a subclass says how a command ends."""

    def run(
        self,
        command: str,
        *,
        stdin: str = "",
        on_line: Say | None = None,
        timeout: float | None = None,
        apart: bool = False,
        content: Iterable[bytes] = (),
    ) -> Completed:
        done = self.answer(command, stdin, b"".join(content))
        if not apart:
            done = Completed(done.status, done.errors + done.output)
        for line in done.output.splitlines():
            if on_line:
                on_line(line)
        return done

    def answer(self, command: str, stdin: str, content: bytes) -> Completed:
        """How ``command`` ends, stderr apart; its stdin is ``stdin``, followed by ``content``."""
        raise NotImplementedError

    def answers(self, timeout: float) -> bool:
        return True

    def close(self) -> None:
        """It stays open."""
