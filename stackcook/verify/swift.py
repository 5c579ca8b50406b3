"""Swift: the servers of the storage nodes, their rings, and an object of our own."""

from __future__ import annotations

import json
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from stackcook.errors import VerifyError
from stackcook.parallel import parallel_map
from stackcook.verify.check import Checks, timed
from stackcook.verify.openstack import LONG_TIMEOUT, Cloud, Refused, request, status
from stackcook.verify.placing import Placed, running
from stackcook.verify.services import Sessions

PROXY = "swift-proxy"
SERVERS: Mapping[str, int] = {"swift-account": 6202, "swift-container": 6201, "swift-object": 6200}
"""The units of a storage node with their ports."""

CONTAINER = "stackcook-verify"
_EXPIRES = {"X-Delete-After": "3600"}
"""Swift deletes the object if a killed run can't; in seconds."""


def checks(cloud: Cloud, nodes: Iterable[Placed], sessions: Sessions) -> Checks:
    """The checks of all of Swift; none if no node runs it.

    The servers of storage nodes are asked there, because only nodes may connect to them.
    """
    nodes = tuple(nodes)
    looks: list[tuple[str, str, str, Callable[[], object]]] = [
        (
            f"{unit}'s health",
            node.name,
            unit,
            partial(_ask_server, sessions, node, unit, "/healthcheck"),
        )
        for unit in SERVERS
        for node in running(nodes, unit)
    ]
    if storage := running(nodes, "swift-object"):
        looks.append(("Swift's rings", "", "", partial(_same_rings, sessions, storage)))
    for node in running(nodes, PROXY):
        looks.append(("an object in Swift", node.name, PROXY, partial(_store, cloud)))
    return tuple(parallel_map(lambda look: timed(*look), looks))


def _ask_server(sessions: Sessions, node: Placed, unit: str, path: str) -> str:
    return sessions.ask(node, "http", node.port(unit, SERVERS[unit]), path)


def _same_rings(sessions: Sessions, nodes: Iterable[Placed]) -> None:
    """Raise VerifyError if a node has another ring than the others: it would miss objects."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for node in nodes:
        try:
            said = _ask_server(sessions, node, "swift-object", "/recon/ringmd5")
            for ring, md5 in json.loads(said).items():
                found[ring][str(md5)].append(node.name)
        except (VerifyError, ValueError):
            continue  # its own checks report that
    for ring, by_md5 in sorted(found.items()):
        if len(by_md5) > 1:
            groups = sorted(", ".join(names) for names in by_md5.values())
            raise VerifyError(
                f"the nodes have different files {ring}: {' / '.join(groups)}",
                remedy="run `stackcook converge` for all nodes",
            )


def _store(cloud: Cloud) -> None:
    """Put, get and delete an object; raises VerifyError."""
    base = f"{cloud.url('object-store').rstrip('/')}/{CONTAINER}"
    url, content = f"{base}/{secrets.token_hex(8)}", secrets.token_bytes(1024)
    ask(cloud, "PUT", base)
    ask(cloud, "PUT", url, content)
    try:
        if ask(cloud, "GET", url) != content:
            raise VerifyError(f"{url} is not what was stored there")
    finally:
        ask(cloud, "DELETE", url, good=(404,))
        # Another run may have an object in the container: 409.
        ask(cloud, "DELETE", base, good=(404, 409))


def ask(
    cloud: Cloud,
    method: str,
    url: str,
    content: bytes = b"",
    *,
    good: tuple[int, ...] = (),
    timeout: float = LONG_TIMEOUT,
) -> bytes:
    """What Swift answers; what is stored is deleted after an hour.

    Raises Refused if the status is neither a success nor one of ``good``, VerifyError if nothing
    answers.
    """
    headers = {"X-Auth-Token": cloud.token, **(_EXPIRES if content else {})}
    response = request(method, url, ca=cloud.ca, headers=headers, data=content, timeout=timeout)
    code = response.status_code
    if code >= 300 and code not in good:
        raise Refused(f"{method} {url} returned {status(response)}", code)
    return bytes(response.content)
