"""Boots an instance on each compute node, checks what it is for, and removes everything again."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackcook.command import Say
from stackcook.errors import VerifyError
from stackcook.files import private_directory, try_lock
from stackcook.remote import keys
from stackcook.verify.check import Check, Checks, poll
from stackcook.verify.instance import resources, volume
from stackcook.verify.instance.chain import Chain, Setting, Tools
from stackcook.verify.instance.resources import IMAGE, Offer
from stackcook.verify.openstack import Cloud
from stackcook.verify.placing import COMPUTE, Placed, running

AT_ONCE = 8
"""Instances that run at the same time; by default a project may have ten."""

NO_IMAGE = (
    f"declare the image `{IMAGE}` in the attribute openstack.resources.images (cookbook "
    "openstack-resources), then run `stackcook converge`"
)


_DETAIL = "/os-hypervisors/detail"

NO_EXTERNAL = "not checked, as the cloud has no external network"


@dataclass(frozen=True)
class Proof:
    """What the instances have shown, and what was not checked."""

    checks: Checks = ()
    notes: tuple[str, ...] = ()


def prove(
    cloud: Cloud,
    nodes: Sequence[Placed],
    state: Path,
    *,
    required: bool,
    limit: float,
    advice: str = "",
    say: Say = lambda line: None,
    ready: Callable[[], object] = lambda: None,
    tools: Tools = Tools(),
) -> Proof:
    """Boot an instance on each compute node among ``nodes``, and check it.

    What is temporary on this machine is in ``state``. Unless it is ``required``, a cloud without
    external network or image only gets a note. Each instance has ``limit`` seconds to boot;
    ``advice`` says how to get an external network, ``ready`` returns once instances can boot.
    Failures are in the result; the resources are removed also after Ctrl-C.
    """
    computes = running(nodes, COMPUTE)
    if not computes:
        return Proof()
    try:
        found = resources.offer(cloud)
        if found.missing and not required:
            note = f"no instance was booted: the cloud has {found.missing}"
            return Proof(notes=(note, advice) if advice and not found.external else (note,))
        if not found.image:
            raise VerifyError(f"the cloud has no image `{IMAGE}`", remedy=NO_IMAGE)
        with alone(state, limit, say):
            return _proof(cloud, nodes, found, state, limit, say, ready, tools)
    except VerifyError as error:
        return Proof((Check("instances", "", False, error.what, error.remedy),))


def waves(nodes: Sequence[Placed], most: int = AT_ONCE) -> tuple[Sequence[Placed], ...]:
    """The nodes in groups of at most ``most``, as equal as possible: a tunnel needs two."""
    count = -(-len(nodes) // most)
    return tuple(nodes[number::count] for number in range(count))


@contextmanager
def alone(state: Path, limit: float, say: Say) -> Iterator[None]:
    """Wait until no other verification of this deployment has instances; they share a prefix."""
    with (private_directory(state) / "verify.lock").open("a") as file:
        if not try_lock(file):
            say("waiting until another `stackcook verify` has removed its instances")
        if not poll(time.monotonic() + limit, lambda: try_lock(file), bool):
            raise VerifyError(
                f"another `stackcook verify` still runs after {limit:.0f} s",
                remedy="run it again when the other one has ended",
            )
        yield


def _proof(
    cloud: Cloud,
    nodes: Sequence[Placed],
    found: Offer,
    state: Path,
    limit: float,
    say: Say,
    ready: Callable[[], object],
    tools: Tools,
) -> Proof:
    stop = threading.Event()

    def pause(seconds: float) -> None:
        if stop.wait(seconds):
            raise VerifyError("interrupted")

    chains: list[Chain] = []
    failures: list[Check] = []
    left = resources.remove(cloud)  # what a killed run has left
    try:
        for wave in waves(running(nodes, COMPUTE)):
            try:
                with _temporary(state) as key, ThreadPoolExecutor(1) as pool:
                    ground = resources.create(
                        cloud, found, secrets.token_hex(3), len(wave), keys.create(key)
                    )
                    floating = pool.submit(resources.connect, cloud, found.external, ground)
                    ready()
                    say(f"booting an instance on {', '.join(node.name for node in wave)}")
                    hypervisors = cloud.read("compute", _DETAIL, version="2.53")["hypervisors"]
                    setting = Setting(
                        cloud=cloud,
                        nodes=nodes,
                        found=found,
                        ground=ground,
                        key=key,
                        limit=limit,
                        pause=pause,
                        floating=floating,
                        tools=tools,
                    )
                    mine = [
                        Chain(setting, node, prepared, _hypervisor(hypervisors, node))
                        for node, prepared in zip(wave, ground.ports)
                    ]
                    chains += mine
                    _follow(mine, stop)
                    floating.result()
                    volume.carry(mine)
            finally:
                say("removing the instances")
                left = resources.remove(cloud)
    except VerifyError as error:
        failures.append(Check("instances", "", False, error.what, error.remedy))
    checks = [check for each in chains for check in each.checks]
    return Proof((*failures, *checks, *leftovers(left)), tuple(_notes(found, chains)))


def _follow(chains: Sequence[Chain], stop: threading.Event) -> None:
    """Follow all at the same time; ``stop`` ends them after Ctrl-C."""
    for each in chains:
        each.peers = tuple(other for other in chains if other is not each)
    with ThreadPoolExecutor(max_workers=len(chains)) as pool:
        try:
            for future in [pool.submit(each.follow) for each in chains]:
                future.result()
        except BaseException:
            stop.set()
            raise


@contextmanager
def _temporary(state: Path) -> Iterator[Path]:
    """The path for the private key, in a directory that is removed, also if a run was killed."""
    directory = state / "verify"
    shutil.rmtree(directory, ignore_errors=True)
    try:
        yield private_directory(directory) / "id_ed25519"
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _hypervisor(found: Sequence[Mapping[str, Any]], node: Placed) -> Mapping[str, Any] | None:
    return next((each for each in found if node.is_called(each["hypervisor_hostname"])), None)


def leftovers(left: Mapping[str, str]) -> Iterator[Check]:
    """A failed check if something could not be deleted."""
    if left:
        cause = "; ".join(f"{name}: {why}" for name, why in left.items())
        remedy = "the next `stackcook verify --instance` deletes it first; or delete it yourself"
        yield Check("removal of the instances", "", False, cause, remedy)


def _notes(found: Offer, chains: Sequence[Chain]) -> Iterator[str]:
    """In a line each: what has answered, and what was not checked."""
    good = [each for each in chains if not each.broken]
    if good and not found.external:
        names = ", ".join(each.node.name for each in good)
        yield f"instances booted on {names}; floating IPs: {NO_EXTERNAL}"
    elif reached := [f"{each.floating} ({each.node.name})" for each in good if each.floating]:
        what = "an instance" if len(reached) == 1 else "instances"
        yield f"{what} answered on {', '.join(reached)}"
    for each in chains:
        if each.unchecked:
            names = ", ".join(each.unchecked)
            yield f"instance on {each.node.name}: not checked because {each.broken} failed: {names}"
    if any(each.unpinged for each in chains):
        yield "this machine has no `ping`: whether floating IPs answer to it was not checked"
