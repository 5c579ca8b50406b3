"""Runs Tempest against the cloud, with events for the console, and keeps its results."""

from __future__ import annotations

import time

from stackcook.files import write_private
from stackcook.operations.site import Site
from stackcook.report import tempest
from stackcook.run.events import Listener, StepDone, StepProgress, StepStarted
from stackcook.verify.tempest.run import Request, TempestReport


class _Steps:
    """Turns what is shown into events: a step begins where its name changes."""

    def __init__(self, listen: Listener) -> None:
        self._listen = listen
        self._step = ""
        self._began = 0.0
        self._text = ""

    def show(self, step: str, text: str) -> None:
        """Show what is being done."""
        if step != self._step:
            self.end()
            self._step, self._began = step, time.time()
            self._listen(StepStarted(step, self._began))
        self._text = text
        self._listen(StepProgress(step, time.time(), text))

    def end(self) -> None:
        """End the current step, if there is one."""
        if self._step:
            now = time.time()
            self._listen(StepDone(self._step, now, now - self._began, text=self._text))
            self._step = ""


def run(site: Site, cloud: str, request: Request, listen: Listener) -> TempestReport:
    """Run the tests, and write ``junit.xml`` beside their subunit stream.

    ``cloud`` is the cloud's name. Raises as :func:`stackcook.verify.tempest.run.run` does.
    """
    steps = _Steps(listen)
    report = site.tempest(request, steps.show)
    steps.end()
    if report.directory:
        write_private(report.directory / "junit.xml", tempest.junit(report, cloud))
    return report
