"""``stackcook logs``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from stackcook.cli.context import Context, node_names
from stackcook.cli.help import Command
from stackcook.command import find_program
from stackcook.errors import UsageError, counted
from stackcook.report.logs import error_lines, last_output, step_output
from stackcook.run.history import failed_step
from stackcook.run.logs import path_of


@click.command(
    cls=Command,
    examples="""
    # why the node failed
    stackcook logs compute1 --failed
    # what it is doing now
    stackcook logs compute1 --follow
    """,
)
@click.argument("node", shell_complete=node_names)
@click.option("-f", "--follow", is_flag=True, help="Keep printing new lines until Ctrl-C.")
@click.option("--last", is_flag=True, help="Show only the last step.")
@click.option(
    "--failed",
    is_flag=True,
    help="Show only the last failure: its cause, then what Chef says about the failed resource, or"
    " the last lines of the step.",
)
@click.pass_obj
def command(context: Context, node: str, follow: bool, last: bool, failed: bool) -> None:
    """Show the log of a node: every step and its output."""
    if follow + last + failed > 1:
        raise click.UsageError("--follow, --last and --failed cannot be combined")
    manifest = context.load_deployed()
    path = path_of(manifest.state, context.node(manifest, node).name)
    if not path.exists():
        raise UsageError("this node has no log yet", where=node, remedy="run `stackcook deploy`")
    if follow:
        os.execv(find_program("tail"), ["tail", "-n", "+1", "-F", str(path)])
    if last:
        text = "\n".join(last_output(path))
    else:
        text = _failed(manifest.state, node) if failed else path.read_text(errors="replace")
    text = text.rstrip("\n")
    context.console.result(text, {"node": node, "log": str(path), "lines": text.splitlines()})


def _failed(state: Path, node: str) -> str:
    """Why the node failed, then the failed resource with its output."""
    step = failed_step(state, node)
    if step is None:
        raise UsageError("no step has failed on this node", where=node, remedy="omit --failed")
    path = path_of(state, node)
    output = step_output(path, step)
    shown = error_lines(output)
    left = len(output) - len(shown)
    rest = ("", f"{counted(left, 'more line')} of this step: {path}") if left else ()
    return "\n".join((f"{step.step} failed: {step.text}", "", *shown, *rest))
