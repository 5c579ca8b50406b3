"""Takes a volume from instance to instance: the first writes to it, and all of them read."""

from __future__ import annotations

import time
from collections.abc import Sequence

from stackcook.errors import NodeError, VerifyError
from stackcook.verify import cinder
from stackcook.verify.check import poll
from stackcook.verify.instance import guest
from stackcook.verify.instance.chain import Chain
from stackcook.verify.instance.links import Broken
from stackcook.verify.placing import CINDER_VOLUME, COMPUTE
from stackcook.verify.trial import LIMIT


def carry(chains: Sequence[Chain]) -> None:
    """Attach a volume to each instance in turn; a single one gets it twice.

    What it has shown is in the ``checks`` of the chains. The first failure ends it.
    """
    good = [each for each in chains if each.has_volume and not each.broken]
    if not good:
        return
    first, *others = good
    text = f"written on {first.prepared.name}"
    volumes: list[str] = []

    def begin() -> None:
        name = f"{first.prepared.name}-volume"
        try:
            volumes.append(cinder.create(first.setting.cloud, name, first.setting.pause))
        except VerifyError as error:
            raise Broken("volume", error.what, unit=CINDER_VOLUME) from error
        _visit(first, volumes[0], text, write=True)
        if not others:
            _visit(first, volumes[0], text)

    if first.attempt(("volume",), begin):
        for each in others:
            if not each.attempt(("volume",), lambda: _visit(each, volumes[0], text)):
                return


def _visit(chain: Chain, volume: str, text: str, *, write: bool = False) -> None:
    """Attach the volume, write the text if so wanted, read it, detach; raises VerifyError."""
    cloud, pause = chain.setting.cloud, chain.setting.pause
    attachments = f"{chain.server}/os-volume_attachments"
    cloud.post("compute", attachments, {"volumeAttachment": {"volumeId": volume}})
    # If Nova fails, it makes the volume available again.
    _wait(chain, volume, ("reserved", "attaching"), "in-use", "attach")
    if write:
        _run(chain, guest.write_disk(volume, text))
    found = _run(chain, guest.read_disk(volume))
    if found != text:
        raise Broken("volume", f"the instance reads {found[:60]!r} from it, not {text!r}")
    attachment = f"{attachments}/{volume}"
    cloud.delete("compute", attachment)
    # Nova forgets it a moment after Cinder, and refuses the next instance until then.
    deadline = time.monotonic() + LIMIT
    poll(deadline, lambda: cloud.find("compute", attachment) is None, bool, pause)
    _wait(chain, volume, ("in-use", "detaching"), "available", "detach")


def _wait(chain: Chain, volume: str, passing: tuple[str, ...], wanted: str, verb: str) -> None:
    found = cinder.settled(chain.setting.cloud, volume, passing, chain.setting.pause)
    if found != wanted:
        what = f"Nova did not {verb} it within {LIMIT:.0f} s (its status: {found})"
        logged = chain.setting.tools.why(chain.node, COMPUTE, volume)
        raise Broken("volume", f"{what}; {logged}" if logged else what)


def _run(chain: Chain, command: str) -> str:
    """What the command prints on the instance; tried again while the disk is not there yet."""

    def look() -> tuple[bool, str]:
        try:
            done = chain.ssh(command)
        except NodeError as error:
            return False, error.what
        return done.status == 0, done.output.strip()

    def good(answer: tuple[bool, str]) -> bool:
        return answer[0]

    ran, said = poll(time.monotonic() + chain.setting.grace, look, good, chain.setting.pause)
    if not ran:
        raise Broken("volume", f"the instance cannot use it: {said or 'it sees no such disk'}")
    return said
