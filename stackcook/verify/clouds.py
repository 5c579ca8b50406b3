"""clouds.yaml: how ``openstack --os-cloud stackcook`` finds the cloud.

It has the administrator's login as ``stackcook`` (or as ``os_cloud`` in the manifest), and that of
the user and project ``demo`` as ``stackcook-demo``. Other clouds in the file stay as they are.

A zone is a cloud of its own, ``stackcook-ZONE``, and a region of the cloud ``stackcook``: with
``--os-cloud stackcook --os-region-name ZONE`` the client logs in to the Keystone of that zone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from stackcook.errors import VerifyError
from stackcook.files import replacing, untrack
from stackcook.verify.openstack import DOMAIN, PROJECT, REGION, USER

CLOUD = "stackcook"
_WRITABLE = "check the permissions and the free space there"
DEMO = "demo"
"""The name of the user that ``init``'s environment declares, and of its project."""


def demo_cloud(cloud: str = CLOUD) -> str:
    """The name under which the login of ``demo`` is in the file."""
    return f"{cloud}-{DEMO}"


def write(
    path: Path,
    auth_url: str,
    password: str,
    demo_password: str = "",
    cloud: str = CLOUD,
    *,
    region: str = REGION,
    region_of: str = "",
    zones: Collection[str] = (),
    ca: Path | None = None,
) -> bool:
    """Put the clouds into the file, mode 0600, which git shall ignore; False if they are there.

    Without ``demo_password``, the file has the administrator's login only. With ``region_of``, the
    cloud is also a region of the one of that name. Regions that are none of the ``zones`` any more
    are removed, with their clouds. ``ca`` has the CA certificates that clients
    need, None: the system's. Raises VerifyError if the file has other content than clouds, or
    can't be written.
    """
    document = _read(path)
    whole = region_of or cloud
    former = _regions(document["clouds"].get(whole)) - {region, *zones}
    for gone in (name for zone in former for name in _both(f"{whole}-{zone}")):
        document["clouds"].pop(gone, None)
    wanted: dict[str, Any] = {}
    for name, user, secret, project in (
        (cloud, USER, password, PROJECT),
        (demo_cloud(cloud), DEMO, demo_password, DEMO),
    ):
        if secret:
            wanted[name] = _cloud(auth_url, user, secret, project, region)
            if ca:
                wanted[name]["cacert"] = str(ca)
            if region_of:
                every = region_of if name == cloud else demo_cloud(region_of)
                found = document["clouds"].get(every)
                wanted[every] = _with_region(found, wanted[name], former)
    ours = {name: document["clouds"].get(name) for name in wanted}
    if not former and ours == wanted and path.stat().st_mode & 0o777 == 0o600:
        return False
    document["clouds"].update(wanted)
    try:
        untrack(path)
    except OSError as error:
        what = f"cannot be written ({error.strerror})"
        where = str(path.with_name(".gitignore"))
        raise VerifyError(what, where=where, remedy=_WRITABLE) from error
    _replace(path, document)
    return True


def remove(path: Path, cloud: str = CLOUD, *more: str) -> None:
    """Remove the clouds from the file, and the file if it holds nothing else."""
    if not path.exists():
        return
    document = _read(path)
    names = [name for each in (cloud, *more) for name in _both(each)]
    removed = [document["clouds"].pop(name, None) for name in names]
    if not any(removed):
        return
    if document == {"clouds": {}}:
        path.unlink()
    else:
        _replace(path, document)


def _both(cloud: str) -> tuple[str, str]:
    """The names of a cloud's logins: of its administrator, and of ``demo``."""
    return cloud, demo_cloud(cloud)


def _regions(found: Any) -> set[str]:
    """The names of the regions of what the file has as the cloud of all zones."""
    return {str(each["name"]) for each in _listed(found) if "name" in each}


def _listed(found: Any) -> list[dict[str, Any]]:
    """The regions that are mappings: others are names only, which we do not write."""
    regions = found.get("regions") if isinstance(found, dict) else None
    return [each for each in regions if isinstance(each, dict)] if isinstance(regions, list) else []


def _with_region(found: Any, zone: Mapping[str, Any], former: Collection[str]) -> dict[str, Any]:
    """The cloud of all zones, with ``zone`` as a region whose Keystone is another one.

    ``found`` is what the file has; ``former`` are its regions that are no zones any more.
    See "Splitting Secrets" and "Regions" of openstacksdk's
    documentation: ``values`` of a region are over those of the cloud.
    """
    name, url = zone["region_name"], zone["auth"]["auth_url"]
    mine = {"name": name, "values": {"auth": {"auth_url": url}}}
    without = {name, *former}
    others = [each for each in _listed(found) if each.get("name") not in without]
    auth = {key: value for key, value in zone["auth"].items() if key != "auth_url"}
    regions = sorted([*others, mine], key=lambda each: str(each.get("name")))
    whole = {key: value for key, value in zone.items() if key not in ("auth", "region_name")}
    return {**whole, "auth": auth, "regions": regions}


def _cloud(auth_url: str, user: str, password: str, project: str, region: str) -> dict[str, Any]:
    return {
        "auth": {
            "auth_url": auth_url,
            "username": user,
            "password": password,
            "project_name": project,
            "user_domain_name": DOMAIN,
            "project_domain_name": DOMAIN,
        },
        "region_name": region,
        "identity_api_version": 3,
        "interface": "public",
    }


def _read(path: Path) -> dict[str, Any]:
    """The file's content, ``clouds`` always a mapping."""
    try:
        document = yaml.safe_load(path.read_text()) or {}
    except FileNotFoundError:
        document = {}
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        remedy = "correct its permissions, or move it away"
        raise VerifyError(what, where=str(path), remedy=remedy) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        # YAML's own message may quote the line, and with it somebody's password.
        raise VerifyError(
            f"is not valid YAML ({type(error).__name__})",
            where=str(path),
            remedy="correct the file, or move it away",
        ) from None
    if isinstance(document, dict) and document.get("clouds") is None:
        document["clouds"] = {}
    if not isinstance(document, dict) or not isinstance(document["clouds"], dict):
        raise VerifyError(
            "has no mapping `clouds`", where=str(path), remedy="correct the file, or move it away"
        )
    return document


def _replace(path: Path, document: dict[str, Any]) -> None:
    try:
        with replacing(path) as file:
            file.write(yaml.safe_dump(document, sort_keys=False).encode())
    except OSError as error:
        what = f"cannot be written ({error.strerror})"
        raise VerifyError(what, where=str(path), remedy=_WRITABLE) from error
