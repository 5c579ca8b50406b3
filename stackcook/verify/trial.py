"""Something small that a check creates in the cloud and deletes again, such as a volume."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone

from stackcook.verify.check import Check, timed

LIMIT = 60.0
"""Seconds that each step may take, such as creating or deleting it."""

ABANDONED = timedelta(minutes=15)
"""The age at which it is no other verification's that still runs."""

Pause = Callable[[float], object]


def checks(
    what: str, node: str, unit: str, create: Callable[[], object], delete: Callable[[], object]
) -> Iterator[Check]:
    """The check of its creation, and that of its deletion, which is tried in any case."""
    created = timed(what, node, unit, create)
    yield created
    deleted = timed(f"deletion of the {what}", node, unit, delete)
    if created.ok or deleted.ok:  # otherwise it is one failure
        yield deleted


def is_abandoned(name: str, prefix: str, created: str) -> bool:
    """Whether a killed verification has left what has this name; ``created`` is a time in UTC."""
    if not name.startswith(prefix):
        return False
    at = datetime.fromisoformat(created.removesuffix("Z")).replace(tzinfo=timezone.utc)
    return at < datetime.now(timezone.utc) - ABANDONED
