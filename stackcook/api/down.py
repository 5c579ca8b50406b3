"""Destroys ephemeral clouds: one, or all that have expired."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from stackcook.api.deployment import destroy
from stackcook.api.ephemeral import Ephemeral, default_directory, every, expired, remove
from stackcook.api.manifest import load
from stackcook.command import Say
from stackcook.errors import ExitCode, InputError, StackcookError
from stackcook.manifest.model import Manifest
from stackcook.operations.site import Site
from stackcook.report.format import ago
from stackcook.run.events import Listener
from stackcook.run.lock import in_use

MakeSite = Callable[[Manifest], Site]
"""Makes what reaches the machines of a cloud: :class:`Site`, or a fake."""


def down(cloud: Ephemeral, make_site: MakeSite, listener: Listener) -> ExitCode:
    """Destroy an ephemeral cloud; its Chef repository may be gone.

    It is no failure if another command has destroyed it meanwhile. Raises StackcookErrors.
    """
    try:
        manifest = load(cloud.manifest, "destroy")
    except InputError:
        if cloud.manifest.exists():
            raise
        remove(cloud)  # if `up` was killed before it wrote the manifest, it has no machines
        return ExitCode.DONE
    return destroy(manifest, make_site(manifest), listener)


def destroy_expired(make_site: MakeSite, say: Say, without: Collection[str] = ()) -> ExitCode:
    """Destroy this user's ephemeral clouds that have expired, unless a command is running on one.

    ``say`` gets a line for each, and another one for a failure, which must not keep the caller from
    its own work. Those named in ``without`` are left. Returns the last exit code that is not 0.
    """
    code, now = ExitCode.DONE, time.time()
    for cloud in expired(every(default_directory()), now):
        if cloud.name in without or _is_in_use(cloud):
            continue
        when = ago(now - cloud.expires)
        say(f"destroying the ephemeral cloud {cloud.name}, which expired {when}")
        try:
            failed = down(cloud, make_site, lambda event: None)
            why = f"exit code {failed}"
        except StackcookError as error:
            failed, why = ExitCode(error.exit_code), str(error)
            if _is_in_use(cloud):
                continue  # another command was faster
        except OSError as error:  # such as a file that another user has written there
            failed, why = ExitCode.USAGE, str(error)
        if failed:
            code = failed
            say(f"it was not destroyed ({why}); run `stackcook down {cloud.name}`")
    return code


def _is_in_use(cloud: Ephemeral) -> bool:
    """Whether a command is running on the cloud; no if that is not known: it will say why."""
    try:
        return in_use(cloud.state)
    except OSError:
        return False
