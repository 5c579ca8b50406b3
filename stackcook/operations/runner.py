"""Runs the plan of an operation, with events for its start and its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackcook.errors import ExitCode, StackcookError
from stackcook.manifest.model import Manifest
from stackcook.retry import STEP, Backoff
from stackcook.run.budget import Budget
from stackcook.run.events import Listener, RunDone, RunStarted
from stackcook.run.executor import Action, Executor
from stackcook.run.plan import Plan

if TYPE_CHECKING:  # to print a plan, the libraries for SSH and OpenStack are not loaded
    from stackcook.operations.site import Site


@dataclass(frozen=True)
class Settings:
    """How to run. ``parallel`` is how many tasks run at once, 0: as many as suits this machine.

    ``clock`` gives seconds since the epoch.
    """

    parallel: int = 0
    clock: Callable[[], float] = time.time
    backoff: Backoff = STEP


def run(
    plan: Plan,
    actions: Mapping[str, Action],
    manifest: Manifest,
    site: Site,
    listeners: tuple[Listener, ...],
    settings: Settings,
    *,
    deploy: str = "",
    digest: str = "",
) -> ExitCode:
    """Carry out a plan; ``actions`` are those of its steps, by the step's name.

    ``deploy`` names the deploy that it is, or resumes; ``digest`` is the checksum of its inputs.
    Raises KeyboardInterrupt if Ctrl-C ended it.
    """
    clock, started = settings.clock, settings.clock()
    executor = Executor(
        plan,
        actions,
        listeners,
        manifest.state,
        budget=Budget.of(manifest, plan.in_turn),
        parallel=settings.parallel,
        clock=clock,
        backoff=settings.backoff,
        end=lambda: site.bootstrap().interrupt(),
    )
    executor.emit(
        RunStarted(
            command=plan.command,
            at=started,
            nodes=plan.nodes,
            stages=tuple(name for name, _ in plan.stages),
            deploy=deploy,
            digest=digest,
            manifest=str(manifest.path),
            steps=tuple(step.key for step in plan.steps),
            cloud=manifest.name,
        )
    )
    code, facts = ExitCode.BUG, {}
    try:
        code = executor.run()
        deployed = code in (ExitCode.DONE, ExitCode.WITHIN_BUDGET)
        if plan.nodes and deployed and plan.command in ("deploy", "converge"):
            facts = dict(site.facts())
    except StackcookError as error:
        executor.failed(plan.command, error)
        code = error.exit_code
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
        raise
    finally:
        now = clock()
        executor.emit(RunDone(plan.command, now, now - started, code, facts, executor.zones))
    if code is ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    return code
