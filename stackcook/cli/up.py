"""``stackcook up``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from stackcook.api.deployment import deploy
from stackcook.cli import deploy as deploying
from stackcook.cli.context import (
    Context,
    Duration,
    bundle_option,
    ignore_option,
    parallel_option,
)
from stackcook.cli.down import destroy_expired
from stackcook.cli.help import Command
from stackcook.errors import ExitCode, Interrupted
from stackcook.api.ephemeral import (
    POOL,
    TTL,
    Ephemeral,
    create,
    default_directory,
    removed_unless_deployed,
)
from stackcook.report.format import iso
from stackcook.run.events import Event, RunDone
from stackcook.run.forecast import past_runs


class Network(click.ParamType):
    """``10.64.0.0/13``."""

    name = "network"

    def convert(self, value: Any, param: Any, ctx: Any) -> IPv4Network:
        if isinstance(value, IPv4Network):
            return value
        try:
            found = IPv4Network(value)
        except ValueError:
            self.fail(f"write an IPv4 network, such as {POOL}", param, ctx)
        if not found.is_private:
            self.fail("use a private network", param, ctx)
        return found


@click.command(
    cls=Command,
    examples="""
    # a further cloud, for two hours
    stackcook up --ephemeral --ttl 2h
    # with a name of your own
    stackcook up --ephemeral --name ci-42
    stackcook --cloud ci-42 status
    stackcook down ci-42
    """,
)
@click.option("--ephemeral", is_flag=True, help="Deploy a new cloud, with its own networks.")
@click.option(
    "--ttl",
    type=Duration(),
    default=TTL,
    metavar="TIME",
    help="How long it is kept, such as 90m or 2h; 8 hours by default.",
)
@click.option("--name", default="", help="Its name, at most 12 characters; by default a new one.")
@click.option(
    "--pool",
    type=Network(),
    default=str(POOL),
    show_default=True,
    metavar="CIDR",
    help="Where its networks are taken from.",
)
@deploying.anew_option
@bundle_option
@ignore_option
@parallel_option
@click.pass_context
def command(
    ctx: click.Context,
    ephemeral: bool,
    ttl: float,
    name: str,
    pool: IPv4Network,
    anew: bool,
    bundle: Path | None,
    ignore: tuple[str, ...],
    parallel: int | None,
) -> ExitCode:
    """Deploy the cloud, or with --ephemeral a further one: any number from one manifest.

    An ephemeral cloud gets a name, networks that this machine does not use, and a directory of its
    own. `stackcook --cloud NAME COMMAND` works on it, `stackcook down NAME` destroys it. Once it
    has expired, the next `up`, `ps` or `deploy` destroys it, and so does `down --expired`.
    """
    context: Context = ctx.obj
    if not ephemeral:
        for option in ("ttl", "name", "pool"):
            if ctx.get_parameter_source(option) is ParameterSource.COMMANDLINE:
                raise click.UsageError(f"--{option} needs --ephemeral")
        given = {"anew": anew, "bundle": bundle, "ignore": ignore, "parallel": parallel}
        return ExitCode(ctx.invoke(deploying.command, **given) or 0)
    destroy_expired(context)
    manifest = context.load("deploy")
    cloud = create(manifest, default_directory(), ttl, time.time(), name=name, pool=pool)
    context.console.note(f"the cloud {cloud.name} is in {cloud.directory}")
    past = past_runs(manifest.state, "deploy")
    with removed_unless_deployed(cloud):
        ready = deploying.prepared(replace(context, path=cloud.manifest), (), bundle)
        context.console.options = ("--cloud", cloud.name)
        try:
            with context.console.run(past) as listener:

                def listen(event: Event) -> None:
                    if isinstance(event, RunDone):
                        event = replace(event, facts={**event.facts, **_facts(cloud)})
                    listener(event)

                return deploy(ready, listen, anew=anew, ignore=ignore, parallel=parallel or 0)
        except KeyboardInterrupt:
            remedy = "run `stackcook deploy`, which resumes where it stopped, or"
            remedy += f" `stackcook down {cloud.name}`"
            raise Interrupted("interrupted", remedy=remedy) from None


def _facts(cloud: Ephemeral) -> Mapping[str, str]:
    """What users and programs need to use the cloud."""
    return {
        "cloud": cloud.name,
        "manifest": str(cloud.manifest),
        "OS_CLIENT_CONFIG_FILE": str(cloud.directory / "clouds.yaml"),
        "expires": iso(cloud.expires),
        "destroy it": f"stackcook down {cloud.name}",
    }
