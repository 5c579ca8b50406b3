"""The timer on a node that runs chef-client; Chef's own resource sets it up and removes it."""

from __future__ import annotations

import shlex
from pathlib import Path

from stackcook.bootstrap.record import notes
from stackcook.manifest.model import Timer

RECIPE = "/etc/chef/stackcook-timer.rb"
"""On the node: the recipe with the resource. It is there as long as the timer is."""

RUN = "/etc/chef/stackcook-run.sh"
"""On the node: what the timer runs."""


def script(timer: Timer | None) -> str:
    """Shell commands before a converge, as root: ``"$@"`` are then recipes for chef-client."""
    wanted = f"{timer.interval}, {timer.splay}" if timer else "nil"
    recipe = f"seconds, random = {wanted}\n{Path(__file__).with_name('timer.rb').read_text()}"
    use = f"{_write(RECIPE, recipe)}\nset -- {RECIPE}"
    if timer:
        return f"{_write(RUN, run_script())}\n{use}"
    return f"if test -e {RECIPE}; then\n{use}\nfi"


def run_script() -> str:
    """chef-client, with notes of what it changes: on a host, it is removed with the cloud."""
    return f"""\
# Written by stackcook: chef-client as the timer runs it.
set -e
note_changes() (
{notes('"$1" timer')}
)
note_changes begin
status=0
chef-client "$@" || status=$?
note_changes end
exit $status
"""


def _write(path: str, text: str) -> str:
    # cat, unlike the shell, says so where the disk is full
    return f"printf %s {shlex.quote(text)} | cat >{path}"
