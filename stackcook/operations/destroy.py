"""The way back: machines, then what the Chef server knows of them, then what this machine keeps."""

from __future__ import annotations

import time
from collections.abc import Callable

from stackcook.run.events import Listener, RunDone, RunStarted
from stackcook.operations.site import Site
from stackcook.operations.steps import Halt, Say, Steps
from stackcook.errors import ExitCode
from stackcook.manifest.model import MachineKind, Manifest


def destroy(
    manifest: Manifest,
    site: Site,
    listeners: tuple[Listener, ...],
    *,
    clock: Callable[[], float] = time.time,
) -> ExitCode:
    """Undo a deploy in reverse order; what is gone already is left at that.

    It ends at the first step that fails, with all that a second try needs still there.
    """
    steps = Steps(listeners, manifest.state, clock)
    nodes = tuple(node for _, stage in manifest.staged() for node in stage)[::-1]

    def machines(say: Say) -> str:
        site.machines.destroy(nodes, say)
        if manifest.machines is MachineKind.SSH:
            return f"{', '.join(node.name for node in nodes)} left as they are, with /etc/chef"
        return "gone"

    def network(_: Say) -> str:
        site.machines.tear_down()
        return "gone"

    started = clock()
    steps.emit(RunStarted("destroy", started, ()))
    code = ExitCode.DONE
    try:
        steps.for_all("machines", machines)
        steps.for_all("nodes", lambda _: site.forget(nodes))
        steps.for_all("chef server", lambda _: site.stop_chef_server())
        steps.for_all("network", network)
        steps.for_all("state", lambda _: site.remove())
    except Halt as halt:
        code = halt.code
    steps.emit(RunDone("destroy", clock(), clock() - started, code))
    return code
