"""Whether nodes have reported a deploy: each records it itself, at the end of a good converge."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from stackcook.errors import VerifyError
from stackcook.manifest.model import Node
from stackcook.verify.placing import ChefObjects


def reported(chef: ChefObjects, nodes: Sequence[Node], deploy: str) -> None:
    """Return once every node says that it was converged by ``deploy``.

    The machines of providers are left out: their first converge is not ours. Raises VerifyError
    with the nodes that don't, ChefServerError if the Chef server can't be asked.
    """
    own = [node for node in nodes if not node.provider]
    with ThreadPoolExecutor(max_workers=8) as pool:
        said = pool.map(lambda node: _said(chef, node), own)
    silent = [node.name for node, name in zip(own, said) if name != deploy]
    if silent:
        some = ", ".join(silent[:5]) + (f" and {len(silent) - 5} more" if len(silent) > 5 else "")
        raise VerifyError(
            f"the Chef server has no report of this deploy from {some}",
            remedy="run `stackcook deploy` again",
        )


def _said(chef: ChefObjects, node: Node) -> str:
    normal = chef.get(f"/nodes/{node.name}").get("normal") or {}
    return str((normal.get("stackcook") or {}).get("deploy", ""))
