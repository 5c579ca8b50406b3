"""Which Chef server: the manifest's, else that of the user's knife, else the embedded one."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stackcook.chef.ruby import Kind, Source, evaluate
from stackcook.errors import Finding, InputError, UsageError
from stackcook.manifest.model import ChefServer, Manifest

_NAMES = ("config.rb", "knife.rb")


def find_chef_server(
    manifest: Manifest,
    *,
    home: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> ChefServer | None:
    """The user's Chef server; ``None`` where none is configured.

    Looks where knife does, beginning at the manifest's directory: ``.chef/config.rb`` or
    ``knife.rb`` there and in the directories above, then in ``~/.chef``; on top of the profile of
    ``~/.chef/credentials`` that CHEF_PROFILE or ``~/.chef/context`` names. Raises InputError for a
    file that can't be read, UsageError for a profile that is not there.
    """
    if manifest.chef_server:
        return manifest.chef_server
    chef = (home or Path.home()) / ".chef"
    settings = _credentials(chef, environ)
    config = next(_configs(manifest, chef), None)
    if config:
        settings = {**settings, **_evaluate(config)}
    url = settings.get("chef_server_url")
    if not url:
        return None
    user = settings.get("node_name") or settings.get("client_name") or environ.get("USER", "")
    return ChefServer(str(url), str(user), _key(settings, str(user), config, chef))


def _configs(manifest: Manifest, chef: Path) -> Iterator[Path]:
    """Configuration files in knife's order; only the first ``.chef`` upward counts."""
    upward = (path / ".chef" for path in (manifest.root, *manifest.root.parents))
    nearest = next((path for path in upward if path.is_dir()), chef)
    for directory in (nearest, chef):
        for name in _NAMES:
            if (directory / name).is_file():
                yield directory / name


def _evaluate(path: Path) -> Mapping[str, Any]:
    result = evaluate([Source(Kind.CONFIG, path)])[path]
    if isinstance(result, Finding):
        raise InputError([result])
    return {name: value for name, value in result.items() if value is not None}


def _credentials(chef: Path, environ: Mapping[str, str]) -> Mapping[str, Any]:
    path, context = chef / "credentials", chef / "context"
    profile = environ.get("CHEF_PROFILE") or (
        context.read_text().strip() if context.is_file() else "default"
    )
    try:
        profiles = tomllib.loads(path.read_text()) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise InputError([Finding(path, None, str(error), "correct the file")]) from error
    if profile in profiles:
        found: Mapping[str, Any] = profiles[profile]
        return found
    if profile != "default" and profiles:
        raise UsageError(
            f'it has no profile "{profile}"', where=str(path), remedy="correct CHEF_PROFILE"
        )
    return {}


def _key(settings: Mapping[str, Any], user: str, config: Path | None, chef: Path) -> Path:
    """The user's key: as set, else ``USER.pem`` or ``user.pem`` beside the configuration."""
    beside = [config.parent] * bool(config) + [chef] if config else [chef]
    if "client_key" in settings:
        return beside[-1] / Path(str(settings["client_key"])).expanduser()
    places = [directory / name for name in (f"{user}.pem", "user.pem") for directory in beside]
    return next((path for path in places if path.is_file()), places[0])
