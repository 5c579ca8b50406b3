"""Whether the Chef server has the nodes' word that a deploy has converged them."""

from __future__ import annotations

import pytest

from stackcook.errors import VerifyError
from stackcook.manifest.model import Manifest
from stackcook.verify.placing import Placed, placed, reported, unreported


class Server:
    """controller reported the deploy before, compute1 this one, as chef-client saves it."""

    def get(self, path: str) -> object:
        said = {"/nodes/controller": "d-1", "/nodes/compute1": "d-2"}
        if path == "/nodes":
            return {"controller": "", "compute1": ""}
        return {"normal": {"stackcook": {"deploy": said[path]}}}


def test_a_report_of_another_deploy_is_none(manifest: Manifest) -> None:
    seen = placed(manifest, Server())
    assert unreported(seen, ["controller", "compute1"], "d-2") == ("controller",)
    with pytest.raises(VerifyError, match="no record that this deploy converged controller; run"):
        reported(seen, ["controller", "compute1"], "d-2")
    reported(seen, ["compute1"], "d-2")


def test_a_node_that_the_server_does_not_know_has_not_reported() -> None:
    assert unreported([], ["a"], "d-1") == ("a",)


def test_of_many_silent_nodes_some_are_named() -> None:
    seen = [Placed(f"n{number}", "") for number in range(1, 8)]
    with pytest.raises(VerifyError, match=r"converged n1, n2, n3, n4, n5 and 2 more; "):
        reported(seen, [node.name for node in seen], "d-1")
