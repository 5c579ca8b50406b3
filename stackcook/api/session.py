"""The cloud of a test session: deployed if it is not, destroyed if it was not there before."""

from __future__ import annotations

from pathlib import Path

from stackcook.api.cloud import Cloud, MakeSite
from stackcook.api.record import is_deployed, recorded
from stackcook.errors import StackcookError, UsageError


class SessionCloud:
    """One manifest's cloud; ``keep`` leaves it at the end, ``artifacts`` is for the report bundle.

    ``notes`` are lines for the end of the session: where the bundle is, and what went wrong.
    """

    def __init__(self, manifest: Path, artifacts: Path, *, keep: bool, make_site: MakeSite) -> None:
        self.notes: list[str] = []
        self._manifest, self._artifacts, self._make_site = manifest, artifacts, make_site
        self._keep = keep or is_deployed(manifest)
        self._written = False

    def start(self) -> Cloud:
        """The cloud as the manifest says; after a failed deploy, its bundle is written.

        A cloud that was not there before is destroyed then. Raises StackcookErrors.
        """
        if not self._manifest.is_file():
            remedy = "name the manifest with --stackcook-manifest PATH"
            raise UsageError("no such file", where=str(self._manifest), remedy=remedy)
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

    def end(self, cloud: Cloud) -> None:
        """Destroy the cloud, unless it is to be kept. Raises RunError."""
        if self._keep:
            cloud.close()
        else:
            cloud.destroy()

    def write_bundle(self) -> None:
        """Write the report bundle of the last run, once in a session, and note where it is."""
        if self._written or not is_deployed(self._manifest):
            return
        self._written = True
        try:
            found = recorded(self._manifest)
            self._artifacts.mkdir(parents=True, exist_ok=True)
            path = self._artifacts / f"stackcook-run-{found.report.run.id}.tar.gz"
            found.bundle(path)
            self.notes.append(f"report bundle: {path}")
        except (StackcookError, OSError) as error:
            self.notes.append(f"no report bundle: {error}")

    def _remove(self) -> None:
        """Destroy what a failed deploy has left, unless it is to be kept."""
        if not is_deployed(self._manifest):
            return
        try:
            self.end(Cloud.open(self._manifest, make_site=self._make_site))
        except StackcookError as error:
            self.notes.append(f"cannot destroy the cloud: {error}")
