"""The log file: when it is written, for whom, and without secrets."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackcook import log
from stackcook.command import Command, Secret, run

logger = logging.getLogger("stackcook.test")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / ".stackcook"
    path.mkdir()
    return path


@pytest.fixture
def notes(state: Path) -> Iterator[list[str]]:
    """What people see with ``-v``, while the log is on."""
    notes: list[str] = []
    stop = log.start(state, 1, notes.append)
    yield notes
    stop()


def text(state: Path) -> str:
    return (state / "logs" / "stackcook.log").read_text()


def test_the_file_has_all_and_people_what_they_asked_for(state: Path, notes: list[str]) -> None:
    logger.debug("a request")
    logger.info("a command")
    assert notes == ["INFO stackcook.test: a command"]
    first, second = text(state).splitlines()
    assert first.endswith("DEBUG stackcook.test: a request") and first.split()[0].endswith("Z")
    assert second.endswith("INFO stackcook.test: a command")
    assert (state / "logs" / "stackcook.log").stat().st_mode & 0o777 == 0o600


def test_nothing_is_created_where_nothing_was_deployed(state: Path, notes: list[str]) -> None:
    state.rmdir()
    logger.info("here")
    assert notes and not state.exists()


def test_the_file_is_rotated_and_stays_private(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "MAX_BYTES", 300)
    stop = log.start(state, 0, print)
    for number in range(40):
        logger.info("line %d", number)
    stop()
    names = {path.name: path.stat().st_mode & 0o777 for path in (state / "logs").iterdir()}
    wanted = ("stackcook.log", *(f"stackcook.log.{number}" for number in (1, 2, 3)))
    assert names == dict.fromkeys(wanted, 0o600)


def test_a_file_that_can_not_be_written_is_reported_once(state: Path, notes: list[str]) -> None:
    (state / "logs").write_text("in the way")
    logger.debug("one")
    logger.debug("two")
    assert len(notes) == 1 and "cannot write the log" in notes[0]


def test_no_secret_is_logged(state: Path, notes: list[str]) -> None:
    secret, stdin = Secret("data-bag-secret"), Secret("from-stdin")
    options = ("-P", "hunter22", "--ssh-password=hunter33", "x-data-bag-secret-x")
    run(Command(("true", *options), env={"S": secret}, stdin=stdin))
    logger.info("knife bootstrap -P 'hunter44' at https://me:hunter55@chef")
    for shown in (text(state), "\n".join(notes)):
        assert "true" in shown and "exit 0" in shown and "knife bootstrap" in shown
        assert not [word for word in ("hunter", "data-bag-secret", "from-stdin") if word in shown]


def test_long_commands_are_shortened() -> None:
    assert len(log.shown("echo " + "word " * 100)) == log.SHOWN
