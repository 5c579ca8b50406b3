"""clouds.yaml: how ``openstack --os-cloud stackcook`` finds the cloud.

Other clouds in the file stay as they are; only the one named ``stackcook`` is changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from stackcook.errors import VerifyError
from stackcook.files import replacing, untrack
from stackcook.verify.openstack import DOMAIN, PROJECT, REGION, USER

CLOUD = "stackcook"


def write(path: Path, auth_url: str, password: str) -> bool:
    """Put the cloud into the file, mode 0600, which git shall ignore; False if it is there already.

    Raises VerifyError if the file has other content than clouds, or can't be written.
    """
    wanted = {
        "auth": {
            "auth_url": auth_url,
            "username": USER,
            "password": password,
            "project_name": PROJECT,
            "user_domain_name": DOMAIN,
            "project_domain_name": DOMAIN,
        },
        "region_name": REGION,
        "identity_api_version": 3,
        "interface": "public",
    }
    document = _read(path)
    if document["clouds"].get(CLOUD) == wanted and path.stat().st_mode & 0o777 == 0o600:
        return False
    document["clouds"][CLOUD] = wanted
    try:
        untrack(path)
    except OSError as error:
        what = f"cannot be written ({error.strerror})"
        raise VerifyError(what, where=str(path.with_name(".gitignore"))) from error
    _replace(path, document)
    return True


def remove(path: Path) -> None:
    """Remove the cloud from the file, and the file if it holds nothing else."""
    if not path.exists():
        return
    document = _read(path)
    if document["clouds"].pop(CLOUD, None) is None:
        return
    if document == {"clouds": {}}:
        path.unlink()
    else:
        _replace(path, document)


def _read(path: Path) -> dict[str, Any]:
    """The file's content, ``clouds`` always a mapping."""
    try:
        document = yaml.safe_load(path.read_text()) or {}
    except FileNotFoundError:
        document = {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
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
        raise VerifyError(f"cannot be written ({error.strerror})", where=str(path)) from error
