"""What ``probe`` gets to know of a deployed cloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackcook.errors import VerifyError
from stackcook.manifest.model import Manifest
from stackcook.operations.site import Site
from stackcook.verify.gate import Credentials
from stackcook.verify.placing import DASHBOARD, KEYSTONE, Placed, Service
from stackcook.verify.probe.apis import apis
from stackcook.verify.probe.run import probe
from tests.smallapis import SmallCloud


def site(root: Path, port: int, *units: str) -> Site:
    """A site whose Chef server knows one node, here, with these units and Keystone at the port."""

    class Here(Site):
        credentials = Credentials("adm1n-pass", "", os_cloud="ci-42")
        _verified = {
            "": (
                Placed(
                    "controller",
                    "127.0.0.1",
                    services=(Service(KEYSTONE, (port,)), *(Service(unit, ()) for unit in units)),
                ),
            )
        }

    return Here(Manifest(root / "infrastructure.yml", "lab", os_cloud="ci-42"))


def test_the_target_is_signed_in(tmp_path: Path) -> None:
    with SmallCloud(("identity",)).listening() as small:
        port = small["identity"].port
        (target,) = site(tmp_path, port, DASHBOARD).targets()
        (other,) = site(tmp_path, port).targets()
    assert other.dashboard == ""
    assert (target.name, target.dashboard) == ("ci-42", "http://127.0.0.1/horizon")
    assert (target.cloud.user, target.cloud.token) == ("u-admin", "t0ken-1")
    assert "adm1n-pass" not in repr(target) and "t0ken" not in repr(target)


def test_without_keystone_there_is_no_target(tmp_path: Path) -> None:
    with SmallCloud(("identity",)).listening() as small:
        port = small["identity"].port
    with pytest.raises(VerifyError, match="connection refused"):
        site(tmp_path, port).targets()


def test_a_silent_zone_does_not_keep_the_others_from_being_probed(tmp_path: Path) -> None:
    def keystone(name: str, port: int) -> tuple[Placed, ...]:
        return (Placed(name, "127.0.0.1", services=(Service(KEYSTONE, (port,)),)),)

    class Zones(Manifest):
        zones = ("north", "south")

    class Here(Site):
        credentials = Credentials("adm1n-pass", "")

        def _credentials_of(self, zone: str) -> Credentials:
            return self.credentials

    with SmallCloud(("identity",)).listening() as small, SmallCloud(
        ("identity",)
    ).listening() as off:
        there, away = small["identity"].port, off["identity"]
        away.fault = "503"
        here = Here(Zones(tmp_path / "infrastructure.yml", "lab"))
        here._verified = {"north": keystone("n1", away.port), "south": keystone("s1", there)}
        north, south = here.targets()
        assert (south.silent, south.cloud.token) == (None, "t0ken-1")
        assert north.silent and "returned 503" in north.silent.what
        (api,) = apis(north, 5)
        assert (api.cloud, api.name, api.url) == ("north", "identity", f"{away.url}")
        assert "503" in probe(api).error
        away.fault = ""  # it comes back
        assert probe(api).error == ""
        assert off.left() == {} and north.cloud.user == "u-admin"
        away.fault = small["identity"].fault = "503"
        with pytest.raises(VerifyError, match="returned 503"):
            here.targets()
