"""``stackcook logs``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from stackcook.cli.context import Context, node_names
from stackcook.command import find_program
from stackcook.run.logs import path_of
from stackcook.errors import UsageError


@click.command()
@click.argument("node", shell_complete=node_names)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added, until Ctrl-C.")
@click.option("--last", is_flag=True, help="Only its last step.")
@click.option("--failed", is_flag=True, help="Only its last failure: the cause, then the step.")
@click.pass_obj
def command(context: Context, node: str, follow: bool, last: bool, failed: bool) -> None:
    """Show all that was run on a node, and what it printed."""
    if follow + last + failed > 1:
        raise click.UsageError("--follow, --last and --failed exclude each other.")
    manifest = context.load()
    path = path_of(manifest.state, context.node(manifest, node).name)
    if not path.exists():
        raise UsageError("nothing was run on it yet", where=node, remedy="run `stackcook deploy`")
    if follow:
        os.execv(find_program("tail"), ["tail", "-n", "+1", "-F", str(path)])
    if last:
        from stackcook.report.passages import last_passage

        text = "\n".join(last_passage(path))
    else:
        text = _failed(manifest.state, node) if failed else path.read_text(errors="replace")
    context.console.result(text.rstrip("\n"), {"node": node, "log": str(path)})


def _failed(state: Path, node: str) -> str:
    """Why the node failed, then what the step printed."""
    from stackcook.run.history import failed_step
    from stackcook.report.passages import passage

    step = failed_step(state, node)
    if step is None:
        raise UsageError("no step of it has failed", where=node, remedy="leave out --failed")
    return "\n".join((f"{step.step} failed: {step.text}", "", *passage(path_of(state, node), step)))
