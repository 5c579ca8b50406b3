"""One checksum for all that a deploy is made of: the same inputs, the same digest."""

from __future__ import annotations

import hashlib
import json

from stackcook import __version__
from stackcook.chef.repository.repository import Repository
from stackcook.manifest.model import Manifest


def digest(manifest: Manifest, repository: Repository) -> str:
    """SHA-256, in hex. Raises OSError if the manifest can't be read any more."""
    inputs = {
        "stackcook": __version__,
        "manifest": hashlib.sha256(manifest.path.read_bytes()).hexdigest(),
        "cookbooks": {
            cookbook.name: [dict(cookbook.metadata), {f.path: f.md5 for f in cookbook.files}]
            for cookbook in repository.cookbooks
        },
        "roles": dict(repository.roles),
        "environments": dict(repository.environments),
        "data bags": {
            bag.name: [dict(bag.items), bag.secret]
            for bag in repository.data_bags
            if not bag.generated  # made by the first deploy: not what it was made of
        },
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
