"""What stands for :func:`stackcook.command.run` in unit tests."""

from __future__ import annotations

from collections.abc import Callable

from stackcook.command import Command, Completed, Say


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
