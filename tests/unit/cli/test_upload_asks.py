"""``stackcook upload`` asks before it deletes, where there is somebody to ask."""

from __future__ import annotations

import io
from pathlib import Path

import click
import pytest

from stackcook.chef.sync.changes import Gone
from stackcook.cli import upload
from stackcook.cli.context import Context
from stackcook.errors import UsageError

GONE = [Gone("role", "role old", "/roles/old")]


class Terminal(io.StringIO):
    """A standard input where somebody sits."""

    def isatty(self) -> bool:
        return True


def wishes(*, yes: bool = False) -> upload._Wishes:
    return upload._Wishes((), False, False, True, None, False, yes)


@pytest.mark.parametrize(("answer", "agreed"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_person_is_asked(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    agreed: bool,
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    context = Context(path=Path("x"))
    if agreed:
        upload._confirm(context, GONE, wishes(), alone=False)
    else:
        with pytest.raises(UsageError, match="nothing was deleted or uploaded"):
            upload._confirm(context, GONE, wishes(), alone=False)
    said = capsys.readouterr().err
    assert (
        "will be deleted: role old" in said and "Delete this object from the Chef server?" in said
    )


def test_who_says_yes_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(""))
    context = Context(path=Path("x"))
    upload._confirm(context, GONE, wishes(yes=True), alone=True)
    upload._confirm(context, [], wishes(), alone=True)
    assert not capsys.readouterr().err


def test_where_nobody_is_only_pruning_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    context = Context(path=Path("x"))
    upload._confirm(context, GONE, wishes(), alone=False)
    with pytest.raises(UsageError, match="cannot ask for confirmation without a terminal"):
        upload._confirm(context, GONE, wishes(), alone=True)


def test_options_that_exclude_each_other() -> None:
    with pytest.raises(
        UsageError, match="--delete cannot be combined with --freeze, --force, --prune or --keep"
    ):
        args = ["--delete", "--freeze"]
        upload.command.main(args, obj=Context(path=Path("x")), standalone_mode=False)
    with pytest.raises(click.BadParameter, match="0 is not in the range"):
        args = ["--keep", "0"]
        upload.command.main(args, obj=Context(path=Path("x")), standalone_mode=False)
