"""Checks Heat: its engines, and a small stack from its creation to its deletion."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stackcook.errors import VerifyError
from stackcook.verify import trial
from stackcook.verify.check import Check, Checks, poll, timed, until_good
from stackcook.verify.openstack import Cloud, request, status
from stackcook.verify.placing import HEAT_ENGINE, Placed, running
from stackcook.verify.trial import LIMIT, Pause, is_abandoned

PREFIX = "stackcook-verify-"
TEMPLATE: Mapping[str, Any] = {
    "heat_template_version": "2021-04-16",
    "resources": {
        "text": {"type": "OS::Heat::RandomString"},
        "handle": {"type": "OS::Heat::WaitConditionHandle"},  # it has a user in Heat's domain
    },
    "outputs": {
        "endpoint": {"value": {"get_attr": ["handle", "endpoint"]}},
        "token": {"value": {"get_attr": ["handle", "token"]}},
    },
}
SIGNAL = {"status": "SUCCESS"}


def checks(
    cloud: Cloud, nodes: Iterable[Placed], deadline: float, pause: Pause = time.sleep
) -> Checks:
    """The checks of the engines, and of a stack; none if the cloud has no Heat.

    ``deadline`` is the time of :func:`time.monotonic` until which engines may still come up.
    """
    if not any(endpoint.type == "orchestration" for endpoint in cloud.catalog):
        return ()
    engines = running(nodes, HEAT_ENGINE)

    def look() -> Checks:
        return tuple(
            timed("heat-engine in Heat", node.name, HEAT_ENGINE, lambda: _engine(cloud, node))
            for node in engines
        )

    found = until_good(deadline, look, pause)
    return *found, *_stack(cloud, engines[0].name if engines else "", pause)


def _engine(cloud: Cloud, node: Placed) -> None:
    """Raise VerifyError unless an engine of the node is up; stopped ones stay in the list."""
    listed = cloud.read("orchestration", "/services")["services"]
    states = [each["status"] for each in listed if node.is_called(str(each["host"]))]
    if "up" not in states:
        raise VerifyError(f"Heat lists it as {states[-1]}" if states else "Heat does not list it")


def _stack(cloud: Cloud, node: str, pause: Pause) -> Iterator[Check]:
    """Create a stack, signal to it as an instance would, and delete it."""
    name = PREFIX + secrets.token_hex(3)
    return trial.checks(
        "stack",
        node,
        HEAT_ENGINE,
        lambda: _create(cloud, name, pause),
        lambda: _delete(cloud, name, pause),
    )


def _create(cloud: Cloud, name: str, pause: Pause) -> None:
    wanted = {"stack_name": name, "template": TEMPLATE, "timeout_mins": 2}
    made = cloud.post("orchestration", "/stacks", wanted)["stack"]
    path = f"/stacks/{name}/{made['id']}"

    def look() -> Mapping[str, Any]:
        stack: Mapping[str, Any] = cloud.read("orchestration", path)["stack"]
        return stack

    def ended(stack: Mapping[str, Any]) -> bool:
        return str(stack["stack_status"]) != "CREATE_IN_PROGRESS"

    stack = poll(time.monotonic() + LIMIT, look, ended, pause)
    if stack["stack_status"] != "CREATE_COMPLETE":
        why = f"{stack['stack_status']}, {stack.get('stack_status_reason')}"
        raise VerifyError(f"Heat did not create the stack within {LIMIT:.0f} s: {why}"[:500])
    outputs = {each["output_key"]: str(each["output_value"]) for each in stack["outputs"]}
    headers = {"X-Auth-Token": outputs["token"]}
    answer = request("POST", outputs["endpoint"], ca=cloud.ca, headers=headers, json=SIGNAL)
    if answer.status_code != 200:
        raise VerifyError(f"a signal to {outputs['endpoint']} returned {status(answer)}")


def _delete(cloud: Cloud, name: str, pause: Pause) -> None:
    """Delete the stack, and those that killed verifications have left."""

    def ours() -> list[str]:
        listed = cloud.read("orchestration", "/stacks")["stacks"]
        return [
            f"/stacks/{each['stack_name']}/{each['id']}"
            for each in listed
            if each["stack_name"] == name
            or is_abandoned(str(each["stack_name"]), PREFIX, str(each["creation_time"]))
        ]

    for path in ours():
        cloud.delete("orchestration", path)
    left = poll(time.monotonic() + LIMIT, ours, lambda left: not left, pause)
    if left:
        raise VerifyError(f"Heat has not deleted {', '.join(left)} within {LIMIT:.0f} s")
