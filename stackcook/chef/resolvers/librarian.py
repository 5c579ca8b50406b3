"""The cookbooks of a Cheffile beside the manifest, brought by real librarian-chef.

It is run only when the Cheffile, its lock or the files of its path sources are others than last
time. It asks its ``site`` only for what path and git sources don't bring.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from stackcook.chef.resolvers.shelf import ENVIRONMENT, Programs, Shelf, bring, fingerprint
from stackcook.chef.loader.findings import Findings, place
from stackcook.command import Command, Completed
from stackcook.manifest.model import Manifest

_PATH_SOURCES = re.compile(r"^PATH\n  remote: (.+)$", re.MULTILINE)
_CONFIGURED = "LIBRARIAN_CHEF_PATH"


def fetch(manifest: Manifest, findings: Findings, programs: Programs) -> Mapping[str, Path]:
    """Name → directory of each cookbook that the Cheffile brings; what is wrong is noted."""
    file = manifest.root / "Cheffile"
    if not file.is_file():
        return {}
    config = manifest.root / ".librarian" / "chef" / "config"
    if config.is_file() and _CONFIGURED in config.read_text(errors="replace"):
        # It is stronger than our wish, and directories of the user's would be replaced.
        what = f"{_CONFIGURED} is set, so librarian-chef would put the cookbooks there"
        findings.error(config, place(config, _CONFIGURED), what, "take the line out")
        return {}
    shelf = Shelf(manifest.state / "librarian")

    def key() -> str:
        """The lock names the path sources."""
        lock = manifest.root / "Cheffile.lock"
        text = lock.read_text(errors="replace") if lock.is_file() else ""
        paths = [manifest.root / path for path in _PATH_SOURCES.findall(text)]
        return fingerprint((str(file),), (file, lock), paths)

    def install(new: Path) -> Completed:
        # Not --path: it would write the place into the user's own .librarian/chef/config.
        env = {_CONFIGURED: str(new), "LIBRARIAN_CHEF_TMP": str(manifest.state / "librarian-cache")}
        argv = (str(programs.find("librarian-chef")), "install")
        return shelf.run(Command(argv, {**ENVIRONMENT, **env}, manifest.root), programs.run)

    return bring("librarian-chef", file, shelf, key, install, findings)
