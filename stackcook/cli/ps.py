"""``stackcook ps``."""

from __future__ import annotations

import time

import click

from stackcook.cli.context import Context
from stackcook.cli.down import destroy_expired
from stackcook.cli.help import Command
from stackcook.api.clouds import CloudHere, clouds_here
from stackcook.api.ephemeral import default_directory
from stackcook.report.format import columns, iso, span


@click.command(
    cls=Command,
    examples="""
    stackcook ps
    """,
)
@click.pass_obj
def command(context: Context) -> None:
    """List the clouds of this machine: state, memory in use, user, age, and when they expire.

    Ephemeral clouds are those of `stackcook up --ephemeral`; those that have expired are destroyed
    first. Of others, the directory of the manifest is shown. Only clouds of LXC containers are
    listed.
    """
    destroy_expired(context)
    now = time.time()
    found = clouds_here(default_directory())
    heading = ("NAME", "STATE", "MEMORY", "USER", "AGE", "EXPIRES IN, OR DIRECTORY")
    text = columns([heading, *(_row(cloud, now) for cloud in found)]) if found else "no clouds"
    context.console.result(text, {"clouds": [_data(cloud) for cloud in found]})


def _row(cloud: CloudHere, now: float) -> tuple[str, ...]:
    return (
        cloud.name,
        cloud.state,
        f"{cloud.memory / 1e9:.1f} GB",
        cloud.user or "?",
        span(now - cloud.began) if cloud.began else "?",
        _end(cloud, now),
    )


def _end(cloud: CloudHere, now: float) -> str:
    if cloud.damage:
        return f"{cloud.damage}; run `stackcook down {cloud.name}`"
    if cloud.expires is None:
        return str(cloud.directory)
    # One that has expired is still there if a command is running on it, or its removal failed.
    return span(cloud.expires - now) if cloud.expires > now else "expired"


def _data(cloud: CloudHere) -> dict[str, object]:
    return {
        "name": cloud.name,
        "state": cloud.state,
        "nodes": {name: running for name, running in cloud.containers.items()},
        "memory": cloud.memory,
        "user": cloud.user or None,
        "began": iso(cloud.began) if cloud.began else None,
        "expires": iso(cloud.expires) if cloud.expires else None,
        "directory": str(cloud.directory),
        "damage": cloud.damage or None,
    }
