"""Cookbooks that come from elsewhere: a Berksfile's and a Cheffile's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stackcook.chef.findings import Findings
from stackcook.manifest.model import Manifest


def fetch(manifest: Manifest, findings: Findings) -> Mapping[str, Path]:
    """Name → directory of each cookbook from elsewhere; what keeps one from coming is noted."""
    return {}
