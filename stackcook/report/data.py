"""A run as data for JSON; the keys are part of the interface. Times are in seconds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stackcook.run.history import Run
from stackcook.run.record import StepState
from stackcook.report.run import Failure, NodeRun, RunReport, Slow, StageRun, seconds
from stackcook.report.format import ending, iso


def run_data(report: RunReport) -> dict[str, Any]:
    """The whole report; ``at`` is relative to the start of the run."""
    began = report.run.started
    return {
        "cloud": report.cloud or None,
        "run": {
            **_run(report.run, report.under_way),
            "seconds": round(report.ended - began, 1),
        },
        "steps": [_step(step, began) for step in report.whole],
        "zones": [{"name": zone.name, "result": zone.result} for zone in report.zones],
        "stages": [_stage(stage, began) for stage in report.stages],
        "nodes": [_node(node, began) for node in report.nodes],
        "failures": [_failure(failure) for failure in report.failures],
        "slow": {
            "resources": [_slow(slow) for slow in report.resources],
            "recipes": [_slow(slow) for slow in report.recipes],
        },
        "versions": {"stackcook": report.run.version or None, "chef": list(report.chef)},
    }


def runs_data(runs: Iterable[Run], running: bool) -> dict[str, Any]:
    """All runs, the latest first."""
    every = tuple(runs)
    return {"runs": [_run(run, running and run is every[-1]) for run in reversed(every)]}


def _run(run: Run, under_way: bool) -> dict[str, Any]:
    return {
        "id": run.id,
        "command": run.command,
        "who": run.who,
        "deploy": run.deploy or None,
        "manifest": run.manifest,
        "started": iso(run.started),
        "ended": iso(run.ended) if run.ended else None,
        "seconds": round(run.ended - run.started, 1) if run.ended else None,
        "exit_code": run.exit_code,
        "ending": ending(run.exit_code, run.ended, under_way),
    }


def _step(step: StepState, began: float) -> dict[str, Any]:
    return {
        "step": step.step,
        "stage": step.stage or None,
        "attempt": step.attempt,
        "result": step.result,
        "at": round(step.started - began, 2),
        "seconds": round(seconds(step), 2),
        "text": step.text,
        "updated": step.updated,
        "total": step.total,
    }


def _stage(stage: StageRun, began: float) -> dict[str, Any]:
    return {
        "name": stage.name or None,
        "at": round(stage.started - began, 2),
        "seconds": round(stage.ended - stage.started, 2),
        "gate": None if stage.gate is None else round(stage.gate, 2),
        "nodes": len(stage.nodes),
        "results": dict(stage.results),
    }


def _node(node: NodeRun, began: float) -> dict[str, Any]:
    return {
        "node": node.name,
        "stage": node.stage or None,
        "result": node.result,
        "why": node.why or None,
        "seconds": round(node.seconds, 2),
        "steps": [_step(step, began) for step in node.steps],
    }


def _failure(failure: Failure) -> dict[str, Any]:
    step = failure.step
    return {
        "node": step.node or None,
        "stage": step.stage or None,
        "step": step.step,
        "attempt": step.attempt,
        "seconds": round(seconds(step), 2),
        "error": step.text,
        "log": failure.log or None,
        "lines": list(failure.lines),
    }


def _slow(slow: Slow) -> dict[str, Any]:
    spent, before = slow.spent, slow.before
    return {
        "name": spent.name or None,
        "recipe": spent.recipe,
        "nodes": spent.nodes,
        "seconds": round(spent.seconds, 2),
        "mean": round(spent.mean, 3),
        "most": round(spent.most, 2) if spent.slowest else None,
        "slowest": spent.slowest or None,
        "updated": spent.updated,
        "mean_before": round(before.mean, 3) if before else None,
        "difference": None if slow.difference is None else round(slow.difference, 3),
    }
