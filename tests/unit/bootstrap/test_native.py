"""Native bootstrap: its steps, what reaches the node and the server, and what goes wrong."""

from __future__ import annotations

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from stackcook.bootstrap.base import Deploy, Registration
from stackcook.bootstrap.bootstrap import Bootstrap
from stackcook.bootstrap.converge import GUID, from_manifest
from stackcook.bootstrap.options import options_of
from stackcook.chef.rest.answers import Refused
from stackcook.command import Command, Completed, run
from stackcook.errors import ChefServerError, NodeError, Transient
from stackcook.manifest.knifeoptions import parse
from stackcook.manifest.model import BootstrapKind
from stackcook.remote.base import TimedOut
from tests.unit.bootstrap.fakes import DEPLOY, ONE, Setting, again, steps, take

EARLY = Deploy("d-1", recipes={"one": ("base::default_packages", "web::db_packages")})


@pytest.fixture
def chef(setting: Setting) -> Bootstrap:
    return Bootstrap(setting.context)


def names(
    chef: Bootstrap, setting: Setting, registration: Registration, deploy: Deploy
) -> list[str]:
    return [name for name, _ in steps(chef, ONE, setting.host, registration, deploy)]


def test_a_new_node_takes_every_step_and_a_known_one_few(setting: Setting, chef: Bootstrap) -> None:
    new = ["install", "register", "prepare", "converge"]
    assert names(chef, setting, Registration.NEW, EARLY) == new
    assert names(chef, setting, Registration.PARTIAL, DEPLOY) == [*new[:2], "converge"]
    assert names(chef, setting, Registration.REGISTERED, EARLY) == ["converge"]


def test_the_server_gets_the_public_key_and_the_node(setting: Setting, chef: Bootstrap) -> None:
    node = replace(ONE, options=parse("""--tags 'a b' -j '{"web": {"port": 80}}'"""))
    setting.chef.objects = {"/nodes/one": {"normal": {"stale": True}}}
    take(chef, node, setting.host)
    client, made = setting.chef.objects["/clients/one"], setting.chef.objects["/nodes/one"]
    assert client["public_key"] == setting.shell.register.output
    assert made["run_list"] == ["role[base]"] and made["chef_environment"] == "lab"
    assert made["normal"] == {
        "openstack": {"address": "10.0.115.10"},
        "tags": ["a", "b"],
        "web": {"port": 80},
    }


def test_a_node_of_the_lab_gets_the_external_network(setting: Setting) -> None:
    setting.openstack = {"network": {"external": {"cidr": "10.0.113.0/24"}}}
    take(Bootstrap(setting.context), ONE, setting.host)
    wanted = {"address": "10.0.115.10", **setting.openstack}
    assert setting.chef.objects["/nodes/one"]["normal"]["openstack"] == wanted
    assert json.dumps({"openstack": wanted})[1:-1] in setting.shell.sent[-1]


def test_a_machine_in_somebody_s_cloud_gets_no_external_network(setting: Setting) -> None:
    setting.register()
    setting.openstack = {"network": {"external": {"cidr": "10.0.113.0/24"}}}
    elsewhere = replace(ONE, provider="ec2", address=None)
    assert from_manifest(setting.context, elsewhere) == {}


def test_what_the_server_has_is_asked_once_for_all_nodes(setting: Setting, chef: Bootstrap) -> None:
    asked: list[str] = []
    get = setting.chef.get
    setting.chef.get = lambda path: asked.append(path) or get(path)  # type: ignore
    for _ in range(3):
        assert chef.look(ONE, setting.host).registration is Registration.NEW
    assert sorted(asked) == ["/clients", "/nodes"]


def test_secrets_go_by_standard_input_only(setting: Setting, chef: Bootstrap) -> None:
    take(chef, ONE, setting.host)
    assert "s3" not in " ".join(setting.shell.asked)
    script = next(text for text in setting.shell.sent if "client.rb" in text)
    assert "umask 077; printf %s 's3\n' | cat >encrypted_data_bag_secret.new" in script
    assert re.search(r"\(umask 077; printf %s '[^']*' \| cat >first-boot\.json\.new\)", script)
    assert "PRIVATE KEY" not in script


def test_another_client_s_key_is_replaced_as_the_server_wants_it(
    setting: Setting, chef: Bootstrap
) -> None:
    """goiardi has it in the client, others apart; chef-zero can't replace it at all."""
    key = setting.shell.register.output
    setting.chef.objects["/clients/one"] = {"name": "one", "public_key": "old", "admin": False}
    take(chef, ONE, setting.host)
    assert setting.chef.objects["/clients/one"]["public_key"] == key
    setting.chef.objects["/clients/one"] = {"name": "one"}
    take(chef, ONE, setting.host)
    assert setting.chef.objects["/clients/one/keys/default"]["public_key"] == key

    class Zero(type(setting.chef)):  # type: ignore[misc]
        def put(self, path: str, value: Any) -> Any:
            raise Refused(path)

    setting.chef = Zero()
    setting.chef.objects["/clients/one"] = {"name": "one"}
    take(Bootstrap(setting.context), ONE, setting.host)
    assert setting.chef.objects["/clients/one"]["public_key"] == key


def test_the_client_may_change_its_node_where_there_are_permissions(
    setting: Setting, chef: Bootstrap
) -> None:
    lists = {"read": {"actors": ["me"], "groups": ["admins"]}, "grant": {"actors": ["one"]}}
    setting.chef.objects["/nodes/one/_acl"] = lists
    take(chef, ONE, setting.host)
    wanted = {"read": {"actors": ["me", "one"], "groups": ["admins"]}}
    assert setting.chef.objects["/nodes/one/_acl/read"] == wanted
    assert "/nodes/one/_acl/grant" not in setting.chef.objects


def test_preparing_runs_those_recipes_only_and_converging_all(
    setting: Setting, chef: Bootstrap
) -> None:
    result = take(chef, ONE, setting.host, deploy=EARLY)
    *_, prepare, converge = setting.shell.sent
    instead = "--override-runlist 'recipe[base::default_packages],recipe[web::db_packages]'"
    assert instead in prepare
    assert "--override-runlist" not in converge
    assert '"stackcook": {"deploy": "d-1"}' in converge
    assert (result.updated, result.total) == (1, 2)


def test_a_converge_tells_what_its_resources_took(setting: Setting, chef: Bootstrap) -> None:
    setting.register()
    times = "stackcook-time 2.500 1 web::db apt_package[x]\nstackcook-time 0.1 0 - file[/y]\n"
    setting.shell.converge = Completed(0, times + setting.shell.converge.output)
    lines: list[str] = []
    result = again(chef, ONE, setting.host, lines.append)
    assert [(each.name, each.seconds) for each in result.resources] == [
        ("apt_package[x]", 2.5),
        ("file[/y]", 0.1),
    ]
    assert not any("stackcook-time" in line for line in lines)


@pytest.mark.parametrize("found, left", [("", None), ("an id", "an id"), (None, None)])
def test_an_id_that_a_full_disk_has_left_empty_is_taken_away(
    setting: Setting, chef: Bootstrap, found: str | None, left: str | None
) -> None:
    guid = setting.root / "chef_guid"
    if found is not None:
        guid.write_text(found)
    setting.register()
    again(chef, ONE, setting.host)
    assert f"\n{GUID}\nexec " in setting.shell.sent[-1]
    run(Command(("sh", "-ec", GUID.replace("/etc/chef", str(setting.root)))), timeout=20)
    assert (guid.read_text() if guid.exists() else None) == left


@pytest.mark.parametrize(
    "there, options, installs",
    [
        (True, "", False),
        (False, "", True),
        (True, "--bootstrap-version 18", True),  # whether it is that one, the node tells
        (True, "--bootstrap-preinstall-command 'echo hi'", True),
    ],
)
def test_a_client_that_a_look_has_seen_is_not_asked_for_again(
    setting: Setting, chef: Bootstrap, there: bool, options: str, installs: bool
) -> None:
    if not there:
        without_client(setting)
    take(chef, replace(ONE, options=parse(options)), setting.host)
    assert any("wanted=" in sent for sent in setting.shell.sent) == installs


def without_client(setting: Setting) -> None:
    setting.shell.fit = setting.shell.fit.replace("client=yes\n", "")


def test_an_interrupted_mirror_is_worth_another_try_a_missing_package_is_not(
    setting: Setting, chef: Bootstrap
) -> None:
    without_client(setting)
    setting.shell.install = Completed(100, "E: Failed to fetch http://m/x.deb  503  Unavailable\n")
    with pytest.raises(Transient, match="503"):
        take(chef, ONE, setting.host)
    setting.shell.install = Completed(100, "E: Unable to locate package ruby\n")
    with pytest.raises(NodeError) as failed:
        take(chef, ONE, setting.host)
    assert not isinstance(failed.value, Transient)


@pytest.mark.parametrize("kind", ["install", "register", "converge"])
def test_a_step_whose_time_is_over_says_its_last_line_and_is_ended(
    setting: Setting, chef: Bootstrap, kind: str
) -> None:
    without_client(setting)
    setattr(setting.shell, kind, Completed(0, "one\ntwo\n\n"))
    setting.shell.fails[kind] = TimedOut("too late")
    with pytest.raises(NodeError, match=f"{kind} did not finish within .*last line: two") as failed:
        take(chef, ONE, setting.host)
    assert not isinstance(failed.value, Transient)
    assert "kill -INT" in setting.shell.asked[-1]


@pytest.mark.parametrize("status, passing", [(503, True), (403, False)])
def test_a_chef_server_that_fails_is_worth_another_try_one_that_refuses_is_not(
    setting: Setting, chef: Bootstrap, status: int, passing: bool
) -> None:
    class Failing(type(setting.chef)):  # type: ignore[misc]
        def post(self, path: str, value: Any, *, repeat: bool = False) -> Any:
            error = Refused("no")
            error.status = status
            raise error

    setting.chef = Failing()
    with pytest.raises(ChefServerError if not passing else Transient, match="no"):
        take(Bootstrap(setting.context), ONE, setting.host)


@pytest.mark.parametrize("asks", ["look", "converge"])
def test_a_chef_server_that_is_away_is_waited_for_by_each_node(setting: Setting, asks: str) -> None:
    class Away(type(setting.chef)):  # type: ignore[misc]
        def get(self, path: str) -> Any:
            if path.endswith("/one"):
                raise ChefServerError("can't be reached", where="http://chef")
            return super().get(path)

    setting.chef = Away()
    setting.register()
    chef = Bootstrap(setting.context)
    with pytest.raises(Transient, match="^one: http://chef: can't be reached"):
        if asks == "look":
            chef.look(ONE, setting.host)
        ((_, converge),) = steps(chef, ONE, setting.host, Registration.REGISTERED)
        converge(print)


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("gone", ["/nodes/one", "/clients/one"])
def test_a_node_that_the_server_has_lost_is_registered_anew(
    setting: Setting, gone: str, early: bool
) -> None:
    """A server that is killed forgets its last second: after it refuses, or knows no such node."""
    run, refused = setting.shell.run, Completed(1, 'FATAL: Net::HTTPClientException: 401 "no"\n')

    def forgetting(command: str, *, stdin: str = "", **rest: Any) -> Completed:
        if ("override" in stdin) == early and "run-lock" in stdin and not forgotten:
            forgotten.append(setting.chef.objects.pop(gone))
        lost = "run-lock" in stdin and gone not in setting.chef.objects
        done = run(command, stdin=stdin, **rest)
        return refused if lost else done

    forgotten: list[Any] = []
    setting.shell.run = forgetting  # type: ignore[method-assign]
    said: list[str] = []
    chef = Bootstrap(setting.context)
    assert take(chef, ONE, setting.host, said.append, deploy=EARLY).updated == 1
    assert setting.chef.objects[gone] == forgotten[0]
    assert said.count("the Chef server no longer has this node: registering it again") == 1


def test_a_node_lost_before_it_converges_is_registered_anew(setting: Setting) -> None:
    chef = Bootstrap(setting.context)
    *others, (_, converge) = steps(chef, ONE, setting.host)
    for _, work in others:
        work(print)
    there, setting.chef.objects = setting.chef.objects, {}
    converge(print)
    assert setting.chef.objects == there


def test_a_node_that_is_lost_again_and_again_has_failed(setting: Setting) -> None:
    class Forgetful(type(setting.chef)):  # type: ignore[misc]
        def post(self, path: str, value: Any, *, repeat: bool = False) -> Any:
            ...

    setting.chef = Forgetful()
    *_, (_, converge) = steps(Bootstrap(setting.context), ONE, setting.host)
    with pytest.raises(NodeError) as failed:
        converge(print)
    what = "one: the Chef server no longer has this node; run `stackcook deploy` again"
    assert str(failed.value) == what


def test_a_recipe_s_error_is_told_also_while_the_server_is_away(setting: Setting) -> None:
    setting.register()
    get = setting.chef.get

    def away(path: str) -> Any:
        if "run-lock" in "".join(setting.shell.sent):
            raise ChefServerError("can't be reached", where="http://chef")
        return get(path)

    setting.chef.get = away  # type: ignore[method-assign]
    setting.shell.converge = Completed(1, "FATAL: RuntimeError: boom\n")
    with pytest.raises(NodeError, match="boom") as failed:
        again(Bootstrap(setting.context), ONE, setting.host)
    assert not isinstance(failed.value, Transient)


def test_nobody_logs_in_to_the_server_before_its_node_is_there(
    setting: Setting, chef: Bootstrap
) -> None:
    """chef-client would make itself one that has no run list, and say that all is well."""
    take(chef, ONE, setting.host)
    made = list(setting.chef.objects)
    assert made.index("/nodes/one") < made.index("/clients/one")


def test_no_node_waits_for_what_another_asks_the_server(setting: Setting) -> None:
    """Where the server is dead, each would have to wait until all before it have given up."""
    both, get = threading.Barrier(2, timeout=30), setting.chef.get

    def meet(path: str) -> Any:
        if path == "/nodes":
            both.wait()
        return get(path)

    setting.chef.get = meet  # type: ignore[method-assign]
    chef = Bootstrap(setting.context)
    with ThreadPoolExecutor(2) as pool:
        looks = list(pool.map(lambda _: chef.look(ONE, setting.host), range(2)))
    assert [look.registration for look in looks] == [Registration.NEW] * 2


def test_an_interrupt_ends_what_runs_on_the_node(setting: Setting) -> None:
    chef = Bootstrap(setting.context)
    context = chef.context
    run = setting.shell.run

    def interrupted(command: str, *, stdin: str = "", **rest: Any) -> Completed:
        if "run-lock" in stdin:
            context.underway.end()
        return run(command, stdin=stdin, **rest)

    setting.shell.run = interrupted  # type: ignore[method-assign]
    setting.register()
    again(chef, ONE, setting.host)
    assert "kill -INT" in setting.shell.asked[-2] and "run-lock" in setting.shell.sent[-1]


def test_only_what_knife_alone_can_goes_to_knife(setting: Setting) -> None:
    chef = Bootstrap(setting.context)
    native = steps(chef, ONE, setting.host)
    knife = steps(chef, replace(ONE, options=parse("-t mine.erb")), setting.host)
    assert [name for name, _ in native] == ["install", "register", "converge"]
    assert [name for name, _ in knife] == ["bootstrap"]
    kind = Bootstrap(setting.context, BootstrapKind.KNIFE)
    assert [name for name, _ in steps(kind, ONE, setting.host)] == ["bootstrap"]


def test_a_password_and_a_gateway_are_used_for_the_connection(
    setting: Setting, chef: Bootstrap
) -> None:
    node = replace(ONE, options=parse("-P s3cret -G me@gate:2222 --ssh-gateway-identity k"))
    chef.look(node, options_of(node, setting.root).reach(setting.host))
    (host,) = setting.shell.opened
    assert host.password and host.password.reveal() == "s3cret" and "s3cret" not in repr(host)
    gateway = host.gateway
    assert gateway and (gateway.user, gateway.address, gateway.port) == ("me", "gate", 2222)
    assert gateway.keys == (setting.root / "k",) and gateway.password is None


def test_what_a_step_returns_is_a_few_words(setting: Setting, chef: Bootstrap) -> None:
    *early, _ = steps(chef, ONE, setting.host, deploy=EARLY)
    said = [work(print) for _, work in early]
    assert said == [
        "already installed",
        "registered",
        "base::default_packages, web::db_packages: 1/2 resources updated",
    ]
    assert "Debian 13" in chef.look(ONE, setting.host).text


def test_what_can_not_be_read_is_said(setting: Setting, chef: Bootstrap) -> None:
    for options, why in (
        ("--hint ec2=none.json", r"cannot read .*none.json \(No such file"),
        ("-j '[1]'", "is not a JSON object"),
        ("--secret-file none", "cannot read .*none"),
    ):
        with pytest.raises(NodeError, match=why):
            take(chef, replace(ONE, options=parse(options)), setting.host)
