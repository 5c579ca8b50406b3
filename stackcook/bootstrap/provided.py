"""Nodes that a command of knife makes and bootstraps; Windows hosts are converged by knife, too."""

from __future__ import annotations

import time

from stackcook.bootstrap import providers
from stackcook.bootstrap.base import ConvergeResult
from stackcook.bootstrap.onnode import NodeTask
from stackcook.bootstrap.output import ChefOutput, Unwrapped
from stackcook.chef.server.knife import server_arguments
from stackcook.command import Command, CommandError, find_program
from stackcook.errors import NodeError


def create(task: NodeTask) -> ConvergeResult:
    """Run the provider's command, which makes the machine or reaches the host, and converges it."""
    remedy, provider = "", task.node.provider
    if provider and provider not in providers.WINDOWS:
        listed = " ".join((*providers.create_words(provider)[:-1], "list"))
        remedy = f", and `knife {listed}` to check for a machine that was left behind"
    return _knife(task, providers.create_arguments(task.node), remedy)


def converge_windows(task: NodeTask) -> ConvergeResult:
    """Run chef-client on a Windows host by ``knife ssh`` or ``knife winrm``."""
    protocol, name = providers.WINDOWS[task.node.provider or ""], task.node.name
    words = (protocol, f"name:{name}", "chef-client")
    return _knife(task, (*words, *providers.connection_arguments(task.node)))


def _knife(task: NodeTask, arguments: tuple[str, ...], remedy: str = "") -> ConvergeResult:
    """Run knife where it finds its own configuration, and so the plugins' credentials."""
    context, name = task.context, task.node.name
    remedy = f"run `stackcook logs {name} --failed` to see more{remedy}"
    output, plain = ChefOutput(), Unwrapped()

    def read(said: str) -> None:
        if line := plain.feed(said):
            output.feed(line)
            task.say(line)

    started = time.monotonic()
    argv = (str(find_program("knife")), *arguments, *server_arguments(context.server))
    command = Command(argv, cwd=context.state.parent)
    try:
        with context.underway.noting() as note:
            done = context.runner(command, on_line=read, timeout=task.timeout, on_start=note)
    except CommandError as error:
        what = f"`knife {' '.join(arguments[:3])}` did not finish within {task.timeout:g} s"
        raise NodeError(what, where=name, remedy=remedy) from error
    if done.status:
        raise NodeError(output.error(), where=name, remedy=remedy)
    updated, total = output.finished or (0, 0)
    return ConvergeResult(updated, total, time.monotonic() - started, output.changed)
