"""``stackcook probe``."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from stackcook.cli.context import OUTPUT, Context, Duration, zone_option
from stackcook.cli.help import Command
from stackcook.errors import ExitCode
from stackcook.files import replacing
from stackcook.operations.limit import check_zone
from stackcook.operations.site import Site
from stackcook.report import probe as report_of
from stackcook.verify.probe.apis import apis
from stackcook.verify.probe.run import Probing


@click.command(
    cls=Command,
    examples="""
    # until Ctrl-C
    stackcook probe
    # during a change: no API may be down for longer
    stackcook probe --for 10m --max-gap 10s --junit probe.xml
    """,
)
@click.option(
    "--interval",
    type=Duration(),
    default="1s",
    show_default=True,
    metavar="TIME",
    help="Time between two probes of an API.",
)
@click.option(
    "--for",
    "length",
    type=Duration(),
    metavar="TIME",
    help="How long to probe, such as 10m; by default until Ctrl-C.",
)
@click.option(
    "--timeout",
    type=Duration(),
    default="5s",
    show_default=True,
    metavar="TIME",
    help="How long a request may take.",
)
@click.option(
    "--max-gap",
    type=Duration(),
    metavar="TIME",
    help="Allow failures, but no gap between successful probes that is longer; by default, none"
    " may fail.",
)
@click.option(
    "--junit",
    metavar="FILE",
    type=OUTPUT,
    help="Write JUnit XML, for CI: a test case for each API.",
)
@zone_option
@click.pass_obj
def command(
    context: Context,
    interval: float,
    length: float | None,
    timeout: float,
    max_gap: float | None,
    junit: Path | None,
    zone: str | None,
) -> ExitCode:
    """Measure whether the APIs respond without a gap: availability, longest gap, latency.

    Every second, each API in the catalog gets real requests: something small is listed, created and
    deleted, and Keystone issues a token. The result is printed after Ctrl-C or the time of --for.
    """
    if length is not None and length < interval:
        raise click.UsageError("--for must not be shorter than --interval")
    manifest = context.load_deployed()
    if zone is not None:
        check_zone(manifest, zone)
    site = Site(manifest, context.access)
    site.machines.prepare()  # without its network, packets would take the default route
    targets = site.targets(zone or "")
    for target in targets:
        if target.silent:
            what = "of this zone, only Keystone and Horizon are probed"
            context.console.note(f"{target.name}: {target.silent.what}; {what}")
    probing = Probing((api for target in targets for api in apis(target, timeout)), interval)
    with _interrupted_once(), context.console.live(lambda: report_of.table(probing.probed)):
        report = probing.run(length, context.console.note, max_gap or 0.0)
    if junit:
        with replacing(junit, 0o666) as file:
            file.write(report_of.junit(report).encode())
    context.console.result(report_of.render(report), report_of.data(report))
    return ExitCode.DONE if report.ok else ExitCode.VERIFY


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM raise KeyboardInterrupt, but not twice within a second.

    timeout(1) sends its signal twice. A script ends a program in the background with SIGTERM: its
    shell lets it ignore the signal of Ctrl-C.
    """
    came: list[float] = []

    def interrupt(_number: int, _frame: object) -> None:
        if not came or time.monotonic() - came[0] > 1:
            came.append(time.monotonic())
            raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
