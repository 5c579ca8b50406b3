"""One SSH connection to each node, opened when first needed, shared by all that is asked there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Lock
from types import TracebackType

from stackcook.errors import NodeError, VerifyError
from stackcook.remote.base import Connect, Host, Remote, sudo
from stackcook.remote.ssh import connect
from stackcook.verify import diagnosis
from stackcook.verify.check import Check
from stackcook.verify.placing import Placed, Service

TIMEOUT = 8.0
"""Seconds that each phase of a login may take."""


class Sessions:
    """The connections of one verification; a context manager that closes them all."""

    def __init__(
        self, hosts: Mapping[str, Host], known_hosts: Path, *, opener: Connect = connect
    ) -> None:
        self._hosts = hosts
        self._known_hosts = known_hosts
        self._opener = opener
        self._opened: dict[str, Remote | VerifyError] = {}
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)
        self._turns: defaultdict[str, Lock] = defaultdict(Lock)

    def on(self, node: str) -> Remote:
        """The connection to a node; raises VerifyError if there is none, at once after the first.

        A node that can't be reached is not tried again: each try may take many seconds.
        """
        with self._locks[node]:
            if node not in self._opened:
                self._opened[node] = self._connected(node)
            found = self._opened[node]
        if isinstance(found, VerifyError):
            raise found
        return found

    def _connected(self, node: str) -> Remote | VerifyError:
        host = self._hosts.get(node)
        if host is None:
            return VerifyError("there is no such machine", remedy="run stackcook deploy")
        try:
            return self._opener(host, self._known_hosts, timeout=TIMEOUT)
        except NodeError as error:
            return VerifyError(error.what, remedy=error.remedy)

    def explained(self, check: Check, node: Placed | None, secrets: Collection[str]) -> Check:
        """A failed check with what the log of the unit to blame says; any other as it is."""
        if check.ok or not check.unit or node is None:
            return check
        service = node.service(check.unit) or Service(check.unit)
        try:
            remote = self.on(node.name)
            with self._turns[node.name]:  # sshd allows ten commands at once on a connection
                done = remote.run(sudo(diagnosis.question(service)), timeout=10)
        except (NodeError, VerifyError):
            return check  # the node's own check says that it can't be asked
        why = diagnosis.explain(done.output, secrets)
        return replace(check, cause=f"{check.cause}; {why}") if why else check

    def __enter__(self) -> Sessions:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for found in self._opened.values():
            if not isinstance(found, VerifyError):
                found.close()
