"""From the manifest and what was observed to a plan: no world needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.errors import UsageError
from stackcook.manifest.model import Amount, BootstrapKind, Manifest, Stage
from stackcook.operations.batches import parse_batch
from stackcook.operations.converge import converge_plan
from stackcook.operations.converge import observe as observe_converge
from stackcook.operations.deploy import deploy_plan, observe
from stackcook.operations.destroy import destroy_plan
from stackcook.operations.shared import Facts
from stackcook.run.plan import Plan
from tests.fakes import FakeSite, node, three_controllers, two_stages

MANIFEST = replace(two_stages(Path("/nowhere"), computes=2), bootstrap=BootstrapKind.NATIVE)

CLUSTER = replace(three_controllers(Path("/nowhere")), bootstrap=BootstrapKind.NATIVE)
THREE = ("controller1", "controller2", "controller3")
IN_TURN = dict.fromkeys(THREE, THREE)


def names(plan: Plan, node: str) -> list[str]:
    return [step.name for step in plan.of(node)]


def observed(machine: str, registered: bool) -> Facts:
    site = FakeSite()
    site.machines.state = {"controller": machine}
    site.chef.known = {"controller"} if registered else set()
    return observe(MANIFEST, site, {"controller"})


@pytest.mark.parametrize(
    "machine, registered, becomes, steps",
    [
        ("running", True, None, ["converge"]),
        ("running", False, None, ["install", "register", "prepare", "converge"]),
        ("stopped", True, "start", ["converge"]),
        ("absent", True, "create", ["install", "register", "prepare", "converge"]),
        ("absent", False, "create", ["install", "register", "prepare", "converge"]),
    ],
)
def test_what_a_node_needs(
    machine: str, registered: bool, becomes: str | None, steps: list[str]
) -> None:
    plan = deploy_plan(MANIFEST, observed(machine, registered), {"controller"})
    assert plan.machines.get("controller") == becomes
    assert names(plan, "controller") == ["reach", "preflight", *steps]


def test_stages_wait_for_all_nodes_before_them() -> None:
    plan = deploy_plan(MANIFEST, Facts())
    assert plan.stages == (
        ("single-controller", ("controller",)),
        ("single-compute", ("compute1", "compute2")),
    )
    (gate,) = [step for step in plan.steps if step.name == "gate"]
    assert (gate.stage, gate.after_nodes) == ("single-compute", ("controller",))
    converge = plan.of("compute2")[-1]
    assert converge.after == (("compute2", "register"), gate.key)


def test_a_role_called_rest_is_not_the_stage_of_the_nodes_that_no_stage_names() -> None:
    names = ("controller", "rest", "other")
    manifest = replace(
        MANIFEST,
        nodes=tuple(node(name, name, n) for n, name in enumerate(names, 10)),
        stages=tuple(Stage(name, (name,)) for name in names[:2]),
    )
    plan = deploy_plan(manifest, Facts())
    assert [name for name, _ in plan.stages] == ["controller", "rest", "the rest"]
    gates = [step for step in plan.steps if step.name == "gate"]
    assert [(gate.stage, gate.after_nodes) for gate in gates] == [
        ("rest", ("controller",)),
        ("the rest", ("controller", "rest")),
    ]


def test_some_nodes_still_wait_for_the_services_of_those_left_out() -> None:
    plan = deploy_plan(MANIFEST, Facts(), {"compute2"})
    assert plan.nodes == ("compute2",)
    assert [step.name for step in plan.steps if step.stage and not step.node] == ["gate"]


def test_time_limits_are_the_node_s_own() -> None:
    nodes = tuple(replace(node, timeout=60) for node in MANIFEST.nodes)
    plan = deploy_plan(replace(MANIFEST, nodes=nodes), Facts())
    assert [s.timeout for s in plan.of("controller")] == [None, None, 1800.0, 120.0, 60.0]


def test_a_step_waits_only_for_steps_that_come_before_it() -> None:
    for plan in (
        deploy_plan(MANIFEST, Facts()),
        deploy_plan(MANIFEST, Facts(done=frozenset({"controller"}))),
        converge_plan(MANIFEST, Facts()),
        converge_plan(MANIFEST, Facts(), twice=True),
        converge_plan(MANIFEST, Facts(), batch=Amount(1)),
        deploy_plan(CLUSTER, Facts(in_turn=IN_TURN)),
        deploy_plan(CLUSTER, Facts(in_turn=IN_TURN, done=frozenset({"controller2"}))),
        converge_plan(CLUSTER, Facts(in_turn=IN_TURN, registered=THREE), twice=True),
    ):
        before = set()
        for step in plan.steps:
            assert before.issuperset(step.after), step
            for name in step.after_nodes:
                assert before.issuperset(each.key for each in plan.of(name)), step
            assert step.key not in before, "no two steps have the same key"
            before.add(step.key)


def test_the_plan_names_the_nodes_that_get_another_run_list() -> None:
    site = FakeSite()
    site.machines.state = dict.fromkeys(("controller", "compute1", "compute2"), "running")
    site.chef.known = {"controller", "compute1", "compute2"}
    site.old = {"compute2", "compute1"}
    for only, which in (
        ((), "of compute1, compute2"),
        (("compute2",), "of compute2"),
        (("controller",), "that differ from the manifest"),
    ):
        plan = deploy_plan(MANIFEST, observe(MANIFEST, site, only), only)
        (step,) = [step for step in plan.steps if step.name == "run lists"]
        assert step.does == f"set the run lists, environments and addresses {which}"


def test_what_a_limit_leaves_out_lets_the_others_in_before_they_are_changed() -> None:
    plan = deploy_plan(MANIFEST, Facts(), ["compute2"])
    names = [step.name for step in plan.steps]
    step = plan.steps[names.index("firewall")]
    assert step.does == "let compute2 through the firewalls of the nodes that are left out"
    assert plan.steps[names.index("run lists")].after == (step.key,)
    for other in (
        deploy_plan(MANIFEST, Facts()),
        deploy_plan(replace(MANIFEST, firewall=False), Facts(), ["compute2"]),
    ):
        assert "firewall" not in {step.name for step in other.steps}


def test_packages_of_a_bundle_come_before_all_else() -> None:
    plan = deploy_plan(MANIFEST, Facts(registered={"compute1"}, bundled=True))
    for name in plan.nodes:
        names = [step.name for step in plan.of(name)]
        assert names[names.index("preflight") + 1] == "packages"
    assert "packages" not in {step.name for step in deploy_plan(MANIFEST, Facts()).steps}


def test_a_node_that_has_no_machine_yet_is_registered_anew() -> None:
    site = FakeSite()
    site.chef.known, site.old = {"compute1"}, {"compute1"}
    assert observe(MANIFEST, site).outdated == set()


@pytest.mark.parametrize("plan", [deploy_plan(MANIFEST, Facts()), converge_plan(MANIFEST, Facts())])
def test_all_nodes_are_inspected_and_run_lists_set_before_one_is_changed(plan: Plan) -> None:
    names = [step.name for step in plan.steps]
    (number,) = [number for number, name in enumerate(names) if name == "run lists"]
    after = plan.steps[number]
    (findings,) = [step for step in plan.steps if step.name == "findings"]
    assert findings.after == tuple((name, "preflight") for name in plan.nodes)
    assert names.index("findings") < number
    assert all(step.name in ("reach", "preflight") for step in plan.steps[:number] if step.node)
    for name in plan.nodes:
        assert after.key in plan.of(name)[2].after
    for step in plan.steps:
        if step.name == "gate":
            assert after.key in step.after


def test_a_manifest_without_nodes_only_uploads() -> None:
    empty = Manifest(Path("/nowhere/infrastructure.yml"), "fake")
    names = [step.name for step in deploy_plan(empty, Facts()).steps]
    assert names == ["check", "secrets", "network", "chef server", "upload", "save"]
    removed = [step.name for step in destroy_plan(empty).steps]
    assert removed == ["chef server", "network", "state"]


@pytest.mark.parametrize(
    "size, sizes",
    [
        (Amount(4), [1, 4, 4, 1]),
        (Amount(30, percent=True), [1, 3, 3, 3]),
        (Amount(1, percent=True), [1] * 10),
        (Amount(100), [1, 9]),
    ],
)
def test_a_stage_in_batches_begins_with_one_node(size: Amount, sizes: list[int]) -> None:
    manifest = two_stages(Path("/nowhere"), computes=10)
    controller, *computes = converge_plan(manifest, Facts(), batch=size).stages
    assert controller == ("single-controller", ("controller",))
    assert [len(nodes) for _, nodes in computes] == sizes
    assert computes[0][0] == f"single-compute, batch 1 of {len(sizes)}"
    assert [node for _, nodes in computes for node in nodes] == [
        f"compute{number}" for number in range(1, 11)
    ]


def test_a_batch_waits_until_the_services_of_the_batch_before_respond() -> None:
    plan = converge_plan(MANIFEST, Facts(), batch=Amount(1))
    gates = [(step.stage, step.does) for step in plan.steps if step.name == "gate"]
    assert gates == [
        (
            "single-compute, batch 1 of 2",
            "wait until the services on controller respond",
        ),
        (
            "single-compute, batch 2 of 2",
            "wait until the services on controller, compute1 respond",
        ),
    ]
    assert ("single-compute, batch 2 of 2", "gate") in plan.of("compute2")[-1].after


@pytest.mark.parametrize("word", ["0", "-1", "101%", "0%", "ten", "", "1.5"])
def test_sizes_of_batches_that_mean_nothing(word: str) -> None:
    with pytest.raises(UsageError, match="is not the size of a batch.*such as 5, or a percentage"):
        parse_batch(word)


def test_controllers_that_are_a_cluster_converge_in_turn_once_all_are_registered() -> None:
    plan = deploy_plan(CLUSTER, Facts(in_turn=IN_TURN))
    first, second, third = (plan.of(name)[-1] for name in THREE)
    assert (first.after_nodes, second.after_nodes, third.after_nodes) == (
        (),
        THREE[:1],
        THREE[:2],
    )
    assert {("controller2", "register"), ("controller3", "register")}.issubset(first.after)
    assert third.does == "converge role[ha-controller] in lab, after controller2"
    for name in THREE:  # packages are installed at the same time
        *earlier, converge = plan.of(name)
        assert not any(each.after_nodes for each in earlier)
        assert converge.name == "converge"


def test_the_plan_lists_controllers_in_the_order_in_which_they_converge() -> None:
    order = (THREE[1], THREE[0], THREE[2])
    plan = deploy_plan(CLUSTER, Facts(in_turn=dict.fromkeys(THREE, order)))
    converges = [each.node for each in plan.steps if each.name == "converge"]
    assert tuple(converges[:3]) == order
    assert plan.of("controller1")[-1].after_nodes == ("controller2",)


def test_a_controller_that_is_made_anew_is_registered_before_the_others_converge() -> None:
    plan = deploy_plan(CLUSTER, Facts(in_turn=IN_TURN, registered={"controller1", "controller2"}))
    assert names(plan, "controller1")[2:] == ["converge"]
    assert ("controller3", "register") in plan.of("controller1")[-1].after


def test_with_a_limit_only_its_controllers_are_waited_for() -> None:
    site = FakeSite()
    site.cluster = THREE
    only = {"controller1", "controller3"}
    plan = deploy_plan(CLUSTER, observe(CLUSTER, site, only), only)
    assert plan.of("controller3")[-1].after_nodes == ("controller1",)
    plan = converge_plan(CLUSTER, observe_converge(CLUSTER, site, only), only)
    assert ("controller1", "converge") in plan.of("controller3")[-1].after


def test_converging_twice_keeps_the_order() -> None:
    plan = converge_plan(CLUSTER, Facts(in_turn=IN_TURN, registered=THREE), twice=True)
    once, again = (step for step in plan.of("controller2") if step.name.startswith("converge"))
    assert ("controller1", "converge") in once.after
    assert ("controller1", "converge again") in again.after
    assert not once.after_nodes and not again.after_nodes


def test_batches_of_controllers_converge_in_turn_as_well() -> None:
    plan = converge_plan(CLUSTER, Facts(in_turn=IN_TURN, registered=THREE), batch=Amount(100))
    assert [nodes for _, nodes in plan.stages][:2] == [THREE[:1], THREE[1:]]
    assert ("controller2", "converge") in plan.of("controller3")[-1].after


def test_a_plan_says_which_keys_and_certificates_are_due() -> None:
    due = ("rotate Keystone's keys of tokens", "renew the certificates of controller (…)")
    steps = {step.name: step for step in deploy_plan(MANIFEST, Facts(renewals=due)).steps}
    generates = "generate the passwords and keys that are missing"
    assert steps["secrets"].does == "; ".join((generates, *due))
