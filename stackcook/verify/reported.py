"""Whether nodes have reported a deploy: each records it itself, at the end of a good converge."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from stackcook.errors import VerifyError
from stackcook.verify.placing import Placed


def silent(seen: Iterable[Placed], names: Collection[str], deploy: str) -> tuple[str, ...]:
    """Those of ``names`` that have not said that ``deploy`` converged them.

    Or they have, and the Chef server was killed before it kept that.
    """
    said = {node.name: node.deploy for node in seen}
    return tuple(name for name in names if said.get(name) != deploy)


def reported(seen: Iterable[Placed], names: Collection[str], deploy: str) -> None:
    """See that none of them is silent. Raises VerifyError with those that are."""
    if missing := silent(seen, names, deploy):
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise VerifyError(
            f"the Chef server has no report of this deploy from {', '.join(missing[:5])}{more}",
            remedy="run `stackcook deploy` again",
        )
