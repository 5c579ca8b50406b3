"""What may happen to a deploy, and that it ends well after at most one more.

Each test begins with new nodes and an empty Chef server. Nothing waits for a time: what is done to
a deploy is done when it has said a certain line.
"""

from __future__ import annotations

import random
import shlex
import subprocess
import threading
from collections.abc import Callable, Sequence

import pytest

from tests.scale.cloud import Cloud
from tests.scale.machine import Machine
from tests.started import Done
from tests.output import document

Make = Callable[..., Cloud]
MOMENTS = 20
LINES_OF_A_NODE = 7
"""That a deploy says of each node: the preflight's end, and three steps, begun and ended."""

OUTAGE = 30.0
"""Seconds for which the Chef server is away."""

DO = {"frozen": Machine.freeze, "unplugged": Machine.unplug}
UNDO = {"frozen": Machine.thaw, "unplugged": Machine.plug}


@pytest.fixture
def choose(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> random.Random:
    """Chance, the same for each test at each run."""
    return random.Random(f"{pytestconfig.getoption('--seed')} {request.node.name}")


def begun(name: str, step: str = "converge") -> Callable[[Sequence[str]], bool]:
    """Whether a deploy has said that it began a step on a node."""
    return lambda lines: any(line.split() == [name, step, "…"] for line in lines)


def uploaded(lines: Sequence[str]) -> bool:
    """Whether the nodes' turns begin now."""
    return any(line.startswith("upload ") for line in lines)


def a_fifth(machines: Sequence[Machine], choose: random.Random) -> list[Machine]:
    return choose.sample(machines, max(1, len(machines) // 5))


def goes_well(cloud: Cloud, done: Done | None = None) -> Done:
    """One more deploy, which must leave everything right."""
    done = done or cloud.deploy()
    assert (done.status, done.errors) == (0, {}), done.lines[-20:]
    assert cloud.wrong() == []
    return done


def outage(cloud: Cloud) -> None:
    """The Chef server is killed, and started again after a while."""
    cloud.kill_server()
    threading.Event().wait(OUTAGE)  # which is what is tried here
    cloud.server.start()


def changes_nothing(cloud: Cloud) -> None:
    """A deploy with nothing to do looks at every node, and finds all as it should be."""
    done = goes_well(cloud)
    assert {row["updated"] for row in done.data["nodes"].values()} == {0}


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_killed_at_any_moment(cloud: Make, moment: int, choose: random.Random) -> None:
    it = cloud()
    # The moments are spread over all that a deploy says, a little by chance.
    whole = 6 + LINES_OF_A_NODE * len(it.machines)
    at = int((moment + choose.random()) * whole / MOMENTS)
    deploy = it.start("deploy")
    deploy.wait_for(lambda lines: len(lines) > at)
    deploy.kill()
    goes_well(it)
    changes_nothing(it)


@pytest.mark.parametrize("fault", DO)
@pytest.mark.parametrize("budget", ["20%", None])
def test_a_fifth_of_the_nodes_dies_midway(
    cloud: Make, fault: str, budget: str | None, choose: random.Random
) -> None:
    it = cloud(**({"failure_budget": {"role[base]": budget}} if budget else {}))
    victims = a_fifth(it.machines, choose)
    deploy = it.start("deploy")
    deploy.as_each_begins("converge", victims, DO[fault])
    done = deploy.ended()
    assert done.status == (8 if budget else 4)
    assert set(done.errors) == {victim.name for victim in victims}
    assert all("SSH" in error for error in done.errors.values()), done.errors
    for victim in victims:
        UNDO[fault](victim)
    assert it.wrong(but=done.errors) == []
    again = goes_well(it)
    # Those that were done are left at that.
    assert {name for name, row in again.data["nodes"].items() if row["updated"] is not None} == set(
        done.errors
    )


def test_a_host_that_is_off_keeps_nobody_waiting(cloud: Make, choose: random.Random) -> None:
    it = cloud(failure_budget={"role[base]": 1})
    victim = choose.choice(it.machines)
    victim.unplug()
    done = it.deploy()
    assert done.status == 8
    assert set(done.errors) == {victim.name}
    words = [line.split() for line in done.lines]
    tries = [at for at, said in enumerate(words) if said[:2] == [victim.name, "reach:"]]
    converges = [at for at, said in enumerate(words) if said[1:] == ["converge", "…"]]
    assert converges and converges[0] < tries[1]
    assert it.wrong(but=done.errors) == []
    victim.plug()
    goes_well(it)


def test_a_node_is_rebooted_during_its_converge(cloud: Make, choose: random.Random) -> None:
    it = cloud()
    victim = choose.choice(it.machines)
    deploy = it.start("deploy")
    deploy.wait_for(begun(victim.name))
    victim.reboot()
    done = deploy.ended()
    assert set(done.errors) <= {victim.name}
    assert it.wrong(but=done.errors) == []
    goes_well(it, None if done.errors else done)
    changes_nothing(it)


@pytest.mark.parametrize("step", ["upload", "register", "converge"])
def test_the_chef_server_is_away_for_half_a_minute(
    cloud: Make, step: str, choose: random.Random
) -> None:
    it = cloud()
    deploy = it.start("deploy")
    victim = choose.choice(it.machines).name
    deploy.wait_for(uploaded if step == "upload" else begun(victim, step))
    outage(it)
    done = deploy.ended()
    if done.status == 5:
        assert "no record that this deploy converged" in done.out
        done = it.deploy()
    goes_well(it, done)
    changes_nothing(it)


def test_the_chef_server_forgets_a_registration(cloud: Make, choose: random.Random) -> None:
    """The node is registered anew, and nobody notices."""
    it = cloud()
    victim = choose.choice(it.machines).name
    deploy = it.start("deploy")
    deploy.wait_for(lambda lines: any(line.split()[:2] == [victim, "register:"] for line in lines))
    it.kill_server()
    it.server.start()
    goes_well(it, deploy.ended())
    changes_nothing(it)


def test_the_chef_server_forgets_a_node_s_report(cloud: Make, choose: random.Random) -> None:
    """It had it in memory only when it was killed."""
    it = cloud()
    victim = choose.choice(it.machines).name
    deploy = it.start("deploy")
    deploy.wait_for(
        lambda lines: any(line.split()[:3] == [victim, "converge:", "2/2"] for line in lines)
    )
    outage(it)
    done = deploy.ended()
    if done.status == 5:  # other nodes may have failed, by what else is forgotten
        assert "no record that this deploy converged" in done.out
    goes_well(it, None if done.status else done)
    changes_nothing(it)


def test_a_disk_is_full(cloud: Make, choose: random.Random) -> None:
    it = cloud()
    victim = choose.choice(it.machines)
    victim.fill_disk()
    done = it.deploy()
    assert done.status == 4
    assert set(done.errors) == {victim.name}
    assert "/ has 0 MiB free, but needs 1024" in done.errors[victim.name]
    assert it.wrong(but=done.errors) == []
    victim.free_disk()
    goes_well(it)
    changes_nothing(it)


@pytest.mark.parametrize("at_work", [False, True])
def test_a_disk_fills_up_midway(cloud: Make, at_work: bool, choose: random.Random) -> None:
    it = cloud()
    victim = choose.choice(it.machines)
    deploy = it.start("deploy")
    deploy.wait_for(begun(victim.name))
    if at_work:
        victim.has("var/chef/cache/chef-client-running.pid")
    victim.fill_disk()
    done = deploy.ended()
    assert done.status == 4
    assert set(done.errors) == {victim.name}
    assert "No space left on device" in done.errors[victim.name]
    victim.free_disk()
    goes_well(it)
    changes_nothing(it)


def test_a_host_key_that_changed_is_refused(cloud: Make, choose: random.Random) -> None:
    it = cloud()
    goes_well(it)
    victim = choose.choice(it.machines)
    before = victim.run("cat /etc/chef/client.pem").output
    recorded = (it.state / "known_hosts").read_text()
    victim.new_host_key()
    done = it.deploy()
    assert done.status == 4
    assert set(done.errors) == {victim.name}
    assert "has changed" in done.errors[victim.name]
    forget = f"ssh-keygen -f {it.state / 'known_hosts'} -R {victim.address}"
    assert forget in done.errors[victim.name]
    assert (it.state / "known_hosts").read_text() == recorded
    assert victim.run("cat /etc/chef/client.pem").output == before
    subprocess.run(shlex.split(forget), check=True)
    goes_well(it)


def test_two_deploys_at_once(cloud: Make, choose: random.Random) -> None:
    it = cloud()
    first = it.start("deploy")
    first.wait_for(begun(choose.choice(it.machines).name))
    second = it.deploy()
    assert second.status == 2
    (error,) = document(second.out)["errors"]
    assert f"(pid {first.process.pid}, started by" in error["what"]
    assert "`stackcook deploy` (pid " in error["what"]
    goes_well(it, first.ended())
    runs = it.start("status").ended()
    assert {row["result"] for row in runs.data["nodes"]} == {"done"}
