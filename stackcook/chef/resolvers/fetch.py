"""Cookbooks that come from elsewhere: a Berksfile's and a Cheffile's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from stackcook.chef.loader.findings import Findings
from stackcook.manifest.model import Manifest

if TYPE_CHECKING:
    from stackcook.chef.resolvers.shelf import Programs


def fetch(
    manifest: Manifest, findings: Findings, programs: Programs | None = None
) -> Mapping[str, Path]:
    """Name → directory of each cookbook from elsewhere; what keeps one from coming is noted.

    The directories lie below ``.stackcook`` and stay until what they were made of changes.
    """
    if not manifest.berksfile and not (manifest.root / "Cheffile").is_file():
        return {}
    # Most repositories have neither, and need not wait for these to load.
    from stackcook.chef.resolvers import berkshelf, librarian, shelf

    programs = programs or shelf.Programs()
    found = dict(librarian.fetch(manifest, findings, programs))
    if manifest.berksfile:
        ours = berkshelf.fetch(manifest, manifest.berksfile, findings, programs)
        for name in sorted(found.keys() & ours.keys()):
            what = f"the Berksfile and the Cheffile both bring {name}; the Berksfile's is taken"
            findings.warning(manifest.berksfile.path, None, what, "take it out of one of them")
        found.update(ours)
    return found
