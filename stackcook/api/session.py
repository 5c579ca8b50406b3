"""The cloud of a test session: deployed if it is not, destroyed if it was not there before."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import IO

from stackcook.api.cloud import Cloud, MakeSite
from stackcook.api.record import is_deployed, recorded
from stackcook.errors import StackcookError, UsageError
from stackcook.files import private_directory, state_directory, try_lock
from stackcook.run.lock import SESSION, forget_session


class SessionCloud:
    """One manifest's cloud; ``keep`` leaves it at the end, ``artifacts`` is for the report bundle.

    ``notes`` are lines for the end of the session: where the bundle is, and what went wrong.

    A cloud that the session destroys at its end is marked by a file in its state, which is locked
    until then. If the session is killed, the mark stays: the next session takes the cloud over.
    """

    def __init__(self, manifest: Path, artifacts: Path, *, keep: bool, make_site: MakeSite) -> None:
        self.notes: list[str] = []
        self._manifest, self._artifacts, self._make_site = manifest, artifacts, make_site
        self._keep = keep
        self._path = state_directory(manifest) / SESSION
        self._mark: IO[str] | None = None
        self._written = False

    def start(self) -> Cloud:
        """The cloud as the manifest says; after a failed deploy, its bundle is written.

        A cloud that was not there before is destroyed then, but not after Ctrl-C: it could take
        minutes, and steps that did not stop may still be at work. Raises StackcookErrors.
        """
        if not self._manifest.is_file():
            remedy = "name the manifest with --stackcook-manifest PATH"
            raise UsageError("no such file", where=str(self._manifest), remedy=remedy)
        if self._keep:
            forget_session(self._path.parent)
        else:
            self._take()
        if is_deployed(self._manifest):
            cloud = Cloud.open(self._manifest, make_site=self._make_site)
            if cloud.is_current:
                return cloud
        try:
            return Cloud.deploy(self._manifest, make_site=self._make_site)
        except StackcookError:
            self.write_bundle()
            self._remove()
            raise
        except KeyboardInterrupt:
            self._leave()
            raise

    def end(self, cloud: Cloud) -> None:
        """Destroy the cloud, if it is this session's. Raises RunError."""
        if self._mark is None:
            cloud.close()
            return
        with self._mark:
            cloud.destroy()
            self._path.unlink(missing_ok=True)

    def _take(self) -> None:
        """Make the cloud this session's, unless it is the user's, or that of another session."""
        if is_deployed(self._manifest) and not self._path.exists():
            return
        private_directory(self._path.parent)
        mark = self._path.open("a")
        if try_lock(mark):
            self._mark = mark
        else:
            mark.close()

    def _leave(self) -> None:
        """Leave to the next session what an interrupted deploy has begun."""
        if self._mark is None:
            return
        with self._mark:
            if not is_deployed(self._manifest):
                self._path.unlink()
                return
        destroy = f"stackcook -f {shlex.quote(str(self._manifest))} destroy"
        self.notes.append(
            f"the deploy was interrupted; run `{destroy}`, or the next session destroys the cloud"
            " at its end"
        )

    def write_bundle(self) -> None:
        """Write the report bundle of the last run, once in a session, and note where it is."""
        if self._written or not is_deployed(self._manifest):
            return
        self._written = True
        try:
            found = recorded(self._manifest)
            self._artifacts.mkdir(parents=True, exist_ok=True)
            cloud = found.report.cloud or "stackcook"
            path = self._artifacts / f"{cloud}-run-{found.report.run.id}.tar.gz"
            found.bundle(path)
            self.notes.append(f"report bundle: {path}")
        except (StackcookError, OSError) as error:
            self.notes.append(f"no report bundle: {error}")

    def _remove(self) -> None:
        """Destroy what a failed deploy has left, if it is this session's."""
        if self._mark is None:
            return
        if not is_deployed(self._manifest):
            with self._mark:
                self._path.unlink()
            return
        try:
            self.end(Cloud.open(self._manifest, make_site=self._make_site))
        except StackcookError as error:
            self.notes.append(f"cannot destroy the cloud: {error}")
