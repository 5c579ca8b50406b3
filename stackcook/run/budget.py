"""The failure budget: how many nodes may fail, and what a failure means for the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum

from stackcook.errors import counted
from stackcook.manifest.model import FailureBudget, Manifest


class Verdict(Enum):
    """What a node's failure means for the others."""

    CONTINUE = "within the budget"
    LATER = "what waits for the node does not begin; the others of its stage continue"
    STOP = "no further step begins"


@dataclass
class _Account:
    """Nodes that share a budget: ``allowed`` of them may fail."""

    name: str
    allowed: int
    nodes: frozenset[str]
    failed: int = 0


class Budget:
    """The failure budget of one run; without accounts no node may fail.

    A node without a budget does not stop nodes that do not wait for it. So it is with nodes
    ``in_turn``: whoever waits for them could lose the quorum of their cluster.
    """

    def __init__(
        self, accounts: Iterable[_Account] = (), in_turn: frozenset[str] = frozenset()
    ) -> None:
        self._in_turn = in_turn
        self._accounts: dict[str, list[_Account]] = {}
        for account in accounts:
            for node in account.nodes:
                self._accounts.setdefault(node, []).append(account)

    @classmethod
    def of(cls, manifest: Manifest, in_turn: frozenset[str] = frozenset()) -> Budget:
        """The manifest's budget, for each zone. Nodes that later stages wait for have none."""
        accounts = (
            _account(manifest.zone(zone), budget, zone)
            for zone in manifest.zones or ("",)
            for budget in manifest.failure_budget
        )
        return cls(accounts, in_turn)

    def spend(self, node: str) -> tuple[Verdict, str]:
        """A node has failed: what that means, and why."""
        if node in self._in_turn:
            why = f"{node} failed, and no further controller converges: they could lose the quorum"
            return Verdict.LATER, why
        accounts = self._accounts.get(node, ())
        if not accounts:
            return Verdict.LATER, f"{node} failed and has no failure budget"
        for account in accounts:
            account.failed += 1
        for account in accounts:
            if account.failed > account.allowed:
                allowed = f"the failure budget allows {account.allowed} of {len(account.nodes)}"
                return (
                    Verdict.STOP,
                    f"{counted(account.failed, 'node')} with {account.name} failed, but {allowed}",
                )
        return Verdict.CONTINUE, ""

    def bears(self, nodes: Collection[str]) -> bool:
        """Whether all of these nodes may fail as well, and the others would continue."""
        if not self._in_turn.isdisjoint(nodes):
            return False
        theirs = [self._accounts.get(node, ()) for node in nodes]
        each = {account.name: account for accounts in theirs for account in accounts}
        return all(theirs) and all(
            account.failed + len(account.nodes.intersection(nodes)) <= account.allowed
            for account in each.values()
        )


def _account(manifest: Manifest, budget: FailureBudget, zone: str) -> _Account:
    staged = manifest.staged()
    waited_for = {node.name for _, nodes in staged[:-1] for node in nodes}
    mine = [node.name for node in manifest.nodes if budget.role in node.roles]
    nodes = frozenset(mine) - waited_for
    name = f"role[{budget.role}]" + f" in {zone}" * bool(zone)
    return _Account(name, budget.amount.of(len(nodes)), nodes)
