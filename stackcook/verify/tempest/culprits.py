"""Which service a failed test points to: what the services logged while it ran."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from stackcook.verify import diagnosis
from stackcook.verify.placing import Placed, Service
from stackcook.verify.services import Sessions
from stackcook.verify.tempest.results import Result

_ALL = ("nova-", "neutron-", "glance-", "placement-", "cinder-", "ovn-")

AREAS: Mapping[str, Sequence[str]] = {
    "tempest.api.identity": ("keystone",),
    "tempest.api.image": ("glance-",),
    "tempest.api.network": ("neutron-", "ovn-"),
    "tempest.api.object_storage": ("swift-",),
    "tempest.api.volume": ("cinder-", "glance-"),
    "heat_tempest_plugin": ("heat-", *_ALL),
}
"""The beginnings of the units that a test may show to be broken, by that of its name."""

_SLACK = 2.0
"""Seconds around a test in which lines count."""


def units(test: str) -> Sequence[str]:
    """The beginnings of the units behind a test, by its name."""
    name = test.partition("(")[2] if test.startswith(("setUp", "tearDown")) else test
    return next((found for begin, found in AREAS.items() if name.startswith(begin)), _ALL)


def find(
    failed: Iterable[Result],
    nodes: Sequence[Placed],
    sessions: Sessions,
    secrets: Collection[str],
) -> dict[str, str]:
    """What services logged as an error during each failed test, by its name."""
    found = {}
    for result in failed:
        lines = [
            f"{service.unit} on {node.name}: {text}"
            for node, service in _behind(result.name, nodes)
            if (text := _during(result, node, service, sessions, secrets))
        ]
        found[result.name] = "; ".join(lines) or "no service has logged an error at that time"
    return found


def _behind(test: str, nodes: Iterable[Placed]) -> Iterable[tuple[Placed, Service]]:
    begins = tuple(units(test))
    for node in nodes:
        for service in node.services:
            if service.unit.startswith(begins):
                yield node, service


def _during(
    result: Result, node: Placed, service: Service, sessions: Sessions, secrets: Collection[str]
) -> str:
    command = diagnosis.between(service, result.began - _SLACK, result.ended + _SLACK)
    return diagnosis.about(sessions.output(node.name, command), "", secrets)
