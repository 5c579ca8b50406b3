"""The visit to Horizon, with a fake browser: its steps, its messages, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import responses

from stackcook.errors import UsageError, VerifyError
from stackcook.verify.browser import chromium
from stackcook.verify.browser.pages import Table
from stackcook.verify.browser.visit import Visit, visit
from stackcook.verify.gate import Credentials
from stackcook.verify.placing import Placed, Service
from tests.fakecloud import FakeCloud

UNITS = ("apache2", "nova-api", "nova-novncproxy")
NODES = (
    Placed(
        "controller", "10.0.116.10", frozenset({"controller"}), tuple(map(Service, UNITS)), True
    ),
    Placed("compute1", "10.0.116.11", frozenset({"compute1"}), (), True),
)
CREDENTIALS = Credentials("adm1n-pass", "queue-pass", demo="dem0-pass")
ADMIN = ["log in as admin", "list the hypervisors", "log out as admin"]
LAUNCH = ["log in as demo", "launch an instance", "console log", "console"]
END = ["delete the instance", "log out as demo"]


@dataclass
class FakeHorizon:
    """A dashboard whose instances and volumes are those of the cloud; ``broken`` maps a call to
    what it raises."""

    cloud: FakeCloud
    hypervisor_names: tuple[str, ...] = ("compute1.lab", "compute2.lab")
    broken: dict[str, BaseException] = field(default_factory=dict)
    message: str = ""
    users: list[tuple[str, str]] = field(default_factory=list)
    opened: list[Any] = field(default_factory=list)
    launched: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def open(self, url: str, directory: Path, hosts: set[str]) -> Iterator[FakeHorizon]:
        self._call("open")
        self.opened.append((url, directory.name, hosts))
        yield self

    def _call(self, name: str) -> None:
        if name in self.broken:
            raise self.broken[name]

    def sign_in(self, user: str, password: str) -> None:
        self._call("sign_in")
        self.users.append((user, password))

    def sign_out(self) -> None:
        self._call("sign_out")

    def hypervisors(self) -> tuple[str, ...]:
        return self.hypervisor_names

    def launch(self, name: str, **options: Any) -> None:
        self.launched = options
        self.cloud.add("servers", {"name": name})
        self._call("launch")

    def create_volume(self, name: str, seconds: float) -> None:
        self.cloud.add("volumes", {"name": name})
        self._call("create_volume")

    @property
    def instances(self) -> Any:
        page = SimpleNamespace(
            expect_log=lambda line, seconds: self._call("expect_log"),
            console=lambda: self._call("console"),
        )
        return SimpleNamespace(
            details=lambda name: page, delete=lambda name: self._delete("servers", name)
        )

    @property
    def volumes(self) -> Any:
        return SimpleNamespace(delete=lambda name: self._delete("volumes", name))

    def _delete(self, kind: str, name: str) -> None:
        things = self.cloud.kind(kind)
        del things[next(id for id, thing in things.items() if thing["name"] == name)]

    def alert(self) -> str:
        return self.message

    def screenshot(self) -> bytes:
        self._call("screenshot")
        return b"\x89PNG"


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    cloud = FakeCloud()
    for name, ram in (("m1.small", 512), ("m1.tiny", 256), ("m1.nano", 64)):
        cloud.add("flavors", {"name": name, "ram": ram, "disk": 1})
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        cloud.answer(mock)
        yield cloud


@pytest.fixture
def horizon(cloud: FakeCloud) -> FakeHorizon:
    return FakeHorizon(cloud)


@pytest.fixture
def run(cloud: FakeCloud, horizon: FakeHorizon, tmp_path: Path) -> Any:
    def run(credentials: Credentials = CREDENTIALS, nodes: tuple[Placed, ...] = NODES) -> Visit:
        return visit(
            cloud.client, nodes, credentials, tmp_path / "state", limit=0.0, opener=horizon.open
        )

    return run


def done(found: Visit) -> list[str]:
    """The names of the checks that passed, in their order; the others are in ``failure``."""
    return [check.name.removeprefix("Horizon: ") for check in found.checks if check.ok]


def failure(found: Visit) -> Any:
    (check,) = (check for check in found.checks if not check.ok)
    return check


def names(cloud: FakeCloud) -> set[str]:
    return cloud.names() - {"m1.small", "m1.tiny", "m1.nano"}


def test_both_users_do_all_steps_in_a_browser_of_their_own(run: Any, horizon: FakeHorizon) -> None:
    found = run()
    assert done(found) == [*ADMIN, *LAUNCH, *END]
    assert len(found.checks) == len(done(found)) and found.notes == ()
    assert horizon.users == [("admin", "adm1n-pass"), ("demo", "dem0-pass")]
    hosts = {"10.0.116.10", "10.0.116.11"}
    assert horizon.opened == [("http://10.0.116.10/horizon", "chromium", hosts)] * 2
    assert {key: horizon.launched[key] for key in ("image", "flavor", "network", "volumes")} == {
        "image": "test",
        "flavor": "m1.tiny",
        "network": "demo",
        "volumes": False,
    }


def test_with_cinder_a_volume_is_created_and_deleted(run: Any, cloud: FakeCloud) -> None:
    cloud.volumes = True
    steps = [*ADMIN, *LAUNCH, "create a volume", "delete the volume", *END]
    assert done(run()) == steps
    assert names(cloud) == set()


def test_there_is_a_screenshot_of_each_step_of_this_run_only(run: Any, horizon: Any) -> None:
    run()
    horizon.broken["sign_in"] = VerifyError("the user's menu did not appear within 30 s")
    found = run()
    assert [path.name for path in found.screenshots] == [
        "01-log-in-as-admin.png",
        "02-log-in-as-demo.png",
    ]
    directory = found.screenshots[0].parent
    assert sorted(directory.iterdir()) == list(found.screenshots)
    assert found.screenshots[0].read_bytes() == b"\x89PNG"


def test_a_failed_step_says_what_horizon_says_and_what_was_not_checked(
    run: Any, horizon: FakeHorizon, cloud: FakeCloud
) -> None:
    horizon.broken["launch"] = VerifyError("x with status Active did not appear within 180 s")
    horizon.message = "Error: No valid host was found."
    found = run()
    check = failure(found)
    assert (check.name, check.node, check.unit) == (
        "Horizon: launch an instance",
        "controller",
        "nova-api",
    )
    assert check.cause == (
        "x with status Active did not appear within 180 s; Horizon says: "
        "Error: No valid host was found."
    )
    assert found.notes == (
        "Horizon: not checked because launch an instance failed: console log, console, "
        "delete the instance, log out as demo",
    )
    assert names(cloud) == set()


def test_an_instance_that_fails_is_to_be_followed() -> None:
    class Browser:
        def texts(self, xpath: str) -> tuple[str, ...]:
            return "web", "Error"

        def wait(self, what: str, look: Callable[[], bool], seconds: float) -> None:
            look()

    table = Table(Browser(), "http://horizon/project/instances/", "instances")  # type: ignore
    with pytest.raises(VerifyError) as raised:
        table.expect("web", "Active", 180)
    assert str(raised.value) == (
        "Horizon lists web with status Error; run `stackcook verify --instance` to see what breaks"
    )


def test_a_hypervisor_that_is_not_listed_is_named(run: Any, horizon: FakeHorizon) -> None:
    horizon.hypervisor_names = ("compute1.lab",)
    found = run()
    assert failure(found).cause == "Horizon does not list compute2.lab"
    assert done(found) == ["log in as admin", *LAUNCH, *END]


def test_after_ctrl_c_nothing_is_left(run: Any, horizon: FakeHorizon, cloud: FakeCloud) -> None:
    horizon.broken["console"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        run()
    assert names(cloud) == set()


def test_what_a_killed_run_left_is_removed_first(run: Any, cloud: FakeCloud, horizon: Any) -> None:
    cloud.volumes = True
    cloud.add("servers", {"name": "stackcook-verify-0ld-horizon"})
    cloud.add("volumes", {"name": "stackcook-verify-0ld-horizon"})
    cloud.add("volumes", {"name": "mine"})
    horizon.broken["open"] = VerifyError("chromedriver ended with status 1")
    assert failure(run()).cause == "chromedriver ended with status 1"
    assert names(cloud) == {"mine"}


def test_what_cannot_be_removed_is_a_failure(run: Any, cloud: FakeCloud, horizon: Any) -> None:
    cloud.volumes = True
    cloud.stuck.add("volumes")
    horizon.broken["create_volume"] = VerifyError("late")
    causes = [check.cause for check in run().checks if not check.ok]
    assert causes[0] == "late" and "is in use" in causes[1]


def test_without_a_user_demo_only_the_administrator_looks(run: Any) -> None:
    found = run(Credentials("adm1n-pass", "queue-pass"))
    assert done(found) == ADMIN
    assert found.notes == ("Horizon: the cloud has no user demo to log in as",)


def test_a_cloud_without_horizon_fails(run: Any) -> None:
    check = failure(run(nodes=NODES[1:]))
    assert check.cause == "no node runs Horizon"
    assert check.remedy.startswith("put recipe[openstack-dashboard::controller] on a node")


def test_without_a_screenshot_it_goes_on(run: Any, horizon: FakeHorizon) -> None:
    horizon.broken["screenshot"] = VerifyError("Chromium: timeout")
    found = run()
    assert done(found) == [*ADMIN, *LAUNCH, *END]
    assert found.notes[0] == "Horizon: no screenshot of log in as admin: Chromium: timeout"


def test_the_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(chromium, "find_spec", lambda name: None)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(chromium, "find_program", nothing)
    with pytest.raises(UsageError) as raised:
        chromium.check_installed()
    wanted = "python3-selenium chromium chromium-driver"
    assert raised.value.remedy == f"run `sudo apt-get install {wanted}`"


def nothing(name: str) -> Path:
    raise UsageError(f"{name} is not installed")
