"""What is done beside the rest: its result is asked for later."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Meanwhile(Generic[T]):
    """Calls ``function`` in a thread of its own, from now on; an error is raised by the result.

    Who ends without the result does not wait for it. The executors of the standard library would,
    and are slow to load.
    """

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def result(self) -> T:
        """What the function returned, once it has; raises what it raised."""
        self._thread.join()
        if self._error:
            raise self._error
        return self._value

    def _run(self) -> None:
        self._error: BaseException | None = None
        try:
            self._value = self._function()
        except BaseException as error:
            self._error = error
