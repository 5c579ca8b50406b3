"""Finds the user's Chef server: the manifest's, else that of the knife configuration."""

from __future__ import annotations

import logging
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stackcook.chef.loader.ruby import Evaluated, Kind, Source, evaluate
from stackcook.chef.server.knife import PROXIES, PROXIES_OF_NODES
from stackcook.errors import Finding, InputError, Severity, UsageError
from stackcook.manifest.model import ChefServer, Manifest

_NAMES = ("config.rb", "knife.rb")
"""Knife's configuration files, in its order; of those in ``.chef`` the nearest upward counts."""

_PROTOCOL = "1.3"
"""The version of the signatures that stackcook makes."""

_SERVER = re.compile(r"^[^#\n]*\bchef_server_url\b", re.MULTILINE)

_log = logging.getLogger(__name__)

_INLINE = "-----BEGIN"


def find_chef_server(
    manifest: Manifest, *, environ: Mapping[str, str] = os.environ
) -> ChefServer | None:
    """The user's Chef server; ``None`` if none is configured.

    Looks where knife does, as if it were run in the manifest's directory. Raises InputError for a
    file that cannot be read, UsageError for a setting that is not supported.
    """
    root, home = manifest.root, _home(environ) / ".chef"
    upward = (path / ".chef" for path in (root, *root.parents))
    nearest = next((path for path in upward if path.is_dir()), home)
    if manifest.chef_server:  # `knife ssl fetch` may have put its certificate there
        fetched = (nearest / "trusted_certs", home / "trusted_certs")
        certificates = next((path for path in fetched if path.is_dir()), None)
        return replace(manifest.chef_server, trusted_certs=certificates)
    named = [Path(environ["KNIFE_HOME"])] if environ.get("KNIFE_HOME") else []
    configs = (place / name for place in (*named, root, nearest, home) for name in _NAMES)
    config = next((path for path in configs if path.is_file()), None)
    settings = _credentials(home, environ)
    faults = []
    for result in _evaluate(config, home, root):
        if isinstance(result, Finding):
            faults.append(result)
        else:
            settings |= {name: value for name, value in result.values.items() if value is not None}
    url = settings.get("chef_server_url")
    if faults:
        _ignore(faults, manifest, bool(url))
    if faults or not url:
        return None
    user = str(settings.get("node_name") or environ.get("USER", ""))
    directory = config.parent if config else home
    protocol = str(settings.get("authentication_protocol_version", _PROTOCOL))
    if protocol != _PROTOCOL:
        what = f"authentication_protocol_version is {protocol}; stackcook only supports {_PROTOCOL}"
        raise UsageError(what, where=str(directory), remedy="remove the setting")
    return ChefServer(
        str(url),
        user,
        _key(settings, user, directory, home),
        ca_file=_path(settings.get("ssl_ca_file"), root),
        trusted_certs=_path(settings.get("trusted_certs_dir", "trusted_certs"), directory),
        verify=str(settings.get("ssl_verify_mode")).lstrip(":") != "verify_none",
        proxies=_proxies(settings),
    )


def _proxies(settings: Mapping[str, Any]) -> dict[str, str]:
    """The proxies of this machine, and those of nodes (``bootstrap_proxy`` …), as texts."""
    knife = settings.get("knife")
    of_nodes = knife if isinstance(knife, Mapping) else {}
    given = {name: of_nodes.get(name) for name in PROXIES_OF_NODES}
    given |= {name: settings.get(name) for name in PROXIES}
    return {name: str(value) for name, value in given.items() if value}


def _home(environ: Mapping[str, str]) -> Path:
    places = [environ.get(name) for name in ("KNIFE_HOME", "CHEF_HOME", "HOME")]
    return next((Path(place) for place in places if place and Path(place).is_dir()), Path.home())


def _evaluate(config: Path | None, home: Path, root: Path) -> Iterable[Evaluated | Finding]:
    """The results for the configuration and for the files of ``config.d`` beside it, in order."""
    more = (config.parent if config else home) / "config.d"
    files = [config] if config else []
    files += sorted(path for path in more.glob("*.rb") if path.is_file())
    return evaluate([Source(Kind.CONFIG, path) for path in files], root).values()


def _ignore(faults: Sequence[Finding], manifest: Manifest, url: bool) -> None:
    """Warn of a broken configuration that does not matter, since the embedded server is used.

    Raises InputError if it does matter: ``url`` says that a Chef server is configured elsewhere.
    """
    if (manifest.state / "chef" / "server").is_dir():
        why = "this deployment has an embedded Chef server"
    elif url or any(_SERVER.search(fault.path.read_text(errors="replace")) for fault in faults):
        raise InputError(faults)
    else:
        why = "it names no Chef server"
    for fault in faults:
        what = f"{fault.what} (the file is ignored: {why})"
        _log.warning("%s", replace(fault, what=what, severity=Severity.WARNING))


def _credentials(chef: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings of the profile that CHEF_PROFILE or ``~/.chef/context`` names."""
    path, context = chef / "credentials", chef / "context"
    if not path.is_file():
        return {}
    profile = environ.get("CHEF_PROFILE") or (
        context.read_text().strip() if context.is_file() else "default"
    )
    try:
        profiles = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError([Finding(path, None, str(error), "correct the file")]) from error
    if profile not in profiles:
        if profile == "default":
            return {}
        what = f'unknown profile "{profile}"'
        raise UsageError(what, where=str(path), remedy="correct CHEF_PROFILE or ~/.chef/context")
    found = dict(profiles[profile])
    if "client_name" in found:
        if "node_name" in found:
            what = f'profile "{profile}" has both client_name and node_name'
            raise UsageError(what, where=str(path), remedy="remove node_name")
        found["node_name"] = found.pop("client_name")
    if "client_key" in found and not str(found["client_key"]).startswith(_INLINE):
        found["client_key"] = str(_path(found["client_key"], chef))
    return found


def _key(settings: Mapping[str, Any], user: str, directory: Path, home: Path) -> Path:
    """The user's key: as set, else ``USER.pem`` or ``user.pem`` beside the configuration."""
    value = str(settings.get("client_key", ""))
    if value.startswith(_INLINE) or "client_key_contents" in settings:
        what = "the private key itself is in the knife settings, which is not supported"
        raise UsageError(
            what, where=str(directory), remedy="put it in a file, and set client_key to its path"
        )
    if value:
        return _path(value, directory) or directory
    places = [place / name for name in (f"{user}.pem", "user.pem") for place in (directory, home)]
    return next((path for path in places if path.is_file()), places[0])


def _path(value: object, directory: Path) -> Path | None:
    return directory / os.path.expanduser(str(value)) if value else None
