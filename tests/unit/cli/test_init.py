"""``stackcook init``: what it writes is free of findings, and nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stackcook.cli.main import cli
from stackcook.errors import ExitCode
from stackcook.manifest.read import read
from tests.output import data as data_of

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a key; the current directory is an empty one."""
    here = tmp_path / "here"
    key = tmp_path / "home" / ".ssh" / "id_ed25519"
    key.parent.mkdir(parents=True)
    key.touch()
    here.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(here)
    return tmp_path / "home"


def run(*arguments: str) -> Result:
    result = CliRunner(mix_stderr=False).invoke(cli, arguments)
    assert "Traceback" not in result.stderr
    return result


def init(*arguments: str) -> Result:
    result = run("init", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result


def refused(*arguments: str) -> str:
    """The one line that says why not; nothing was written."""
    before = sorted(Path().rglob("*"))
    result = run("init", *arguments)
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert sorted(Path().rglob("*")) == before
    return result.stderr.splitlines()[-1]


def nothing_wrong(path: str) -> None:
    result = run("-f", path, "check", "--strict")
    assert (result.exit_code, result.stderr) == (0, ""), result.stdout
    assert result.stdout.startswith("no problems found")


@pytest.mark.parametrize("machines", ["vagrant", "ssh"])
@pytest.mark.parametrize("computes", [0, 1, 3, 200])
def test_a_new_one_has_no_findings(machines: str, computes: int) -> None:
    init("lab", "--machines", machines, "--computes", str(computes))
    nothing_wrong("lab/infrastructure.yml")
    manifest, _ = read(Path("lab/infrastructure.yml"))
    assert manifest is not None
    assert [(node.name, node.roles) for node in manifest.nodes] == [
        ("controller", ("single-controller",)),
        *((f"compute{n}", ("single-compute",)) for n in range(1, computes + 1)),
    ]
    assert {node.environment for node in manifest.nodes} == {"lab"}


@pytest.mark.parametrize("machines, fast", [("vagrant", True), ("ssh", False)])
def test_passwords_are_hashed_fast_only_in_the_lab(machines: str, fast: bool) -> None:
    init("lab", "--machines", machines)
    environment = json.loads(Path("lab/environments/lab.json").read_text())
    openstack = environment["default_attributes"]["openstack"]
    assert ("identity" in openstack) is fast
    assert openstack["region"] == "RegionOne"


def test_it_says_what_comes_next() -> None:
    assert init().stdout.splitlines() == [
        "infrastructure.yml: a controller and a compute node",
        "next: stackcook check; stackcook deploy",
    ]
    assert init("my lab", "--machines", "ssh", "--computes", "2").stdout.splitlines() == [
        "my lab/infrastructure.yml: a controller and 2 compute nodes",
        "first: replace the example addresses with those of your hosts",
        "next: cd 'my lab'; stackcook check; stackcook deploy",
    ]
    said = run("-f", "b.yml", "init", "b", "--host", "192.0.2.5").stdout
    assert said.endswith("next: cd b; stackcook -f b.yml check; stackcook -f b.yml deploy\n")


def test_it_has_what_this_repository_has() -> None:
    """The cloud that is deployed in the lab's tests is the one that people get."""
    init("lab", "--json")
    mine, _ = read(Path("lab/infrastructure.yml"))
    ours, _ = read(REPOSITORY / "infrastructure.yml")
    assert mine and ours
    assert {book.name for book in mine.cookbooks} == {book.name for book in ours.cookbooks}
    assert [(n.name, n.address, n.memory, n.cpus, n.run_list) for n in mine.nodes] == [
        (n.name, n.address, n.memory, n.cpus, n.run_list) for n in ours.nodes
    ]
    assert (mine.stages, mine.network) == (ours.stages, ours.network)
    assert mine.external_network == ours.external_network
    role = Path("roles/single-controller.json")
    assert ("lab" / role).read_bytes() == (REPOSITORY / role).read_bytes()
    written = {str(path.relative_to("lab")) for path in Path("lab").rglob("*") if path.is_file()}
    assert "cookbooks/openstack-compute/recipes/controller.rb" in written
    assert not [path for path in written if "spec" in path]


def test_an_external_network_that_can_not_be_used_is_refused() -> None:
    said = refused("--external-network", "10.0.112.128/25")
    assert "10.0.112.128/25 overlaps the network 10.0.112.0/24" in said


def test_json() -> None:
    data = data_of(init("lab", "--json").stdout)
    assert data["path"] == "lab/infrastructure.yml"
    assert data["next"] == ["cd lab", "stackcook check", "stackcook deploy"]
    assert {".gitignore", "infrastructure.yml", "environments/lab.json"} <= {*data["written"]}


def test_hosts_by_name_and_by_ipv6_address() -> None:
    init("--host", "web1.example.com", "--host", "fd00::2")
    nothing_wrong("infrastructure.yml")
    manifest, _ = read(Path("infrastructure.yml"))
    assert manifest
    assert [str(n.ssh_place) for n in manifest.nodes] == ["web1.example.com", "fd00::2"]


def test_hosts_and_how_to_log_in(home: Path) -> None:
    (home / "lab").touch()
    init("--host", "192.0.2.7", "--host", "192.0.2.3", "--user", "debian", "--key", "~/lab")
    nothing_wrong("infrastructure.yml")
    manifest, _ = read(Path("infrastructure.yml"))
    assert manifest
    assert [(n.name, str(n.address), n.user, n.key) for n in manifest.nodes] == [
        ("controller", "192.0.2.7", "debian", home / "lab"),
        ("compute1", "192.0.2.3", "debian", home / "lab"),
    ]


def test_what_git_ignores() -> None:
    init("a")
    assert Path("a/.gitignore").read_text() == "/.stackcook/\n/.vagrant/\n/clouds.yaml\n"
    Path("b").mkdir()
    Path("b/.gitignore").write_text("mine\n.vagrant\n")
    result = run("init", "b")
    assert result.exit_code == 0
    assert (
        result.stderr
        == ".gitignore exists and was not changed; add these lines: .stackcook/ clouds.yaml\n"
    )
    assert Path("b/.gitignore").read_text() == "mine\n.vagrant\n"
    Path("b/.gitignore").unlink()
    Path("b/.gitignore").symlink_to("nowhere")
    assert "clouds.yaml" in run("init", "b", "--force").stderr
    init("a", "--force")  # nothing to say: it has them all


def test_nothing_is_overwritten_unasked() -> None:
    Path("roles").mkdir()
    Path("roles/single-compute.json").write_text("mine")
    Path("infrastructure.yml").write_text("mine")
    assert refused() == (
        ".: already exists: infrastructure.yml, roles/single-compute.json; "
        "use another directory, or overwrite with --force"
    )
    init("--force")
    nothing_wrong("infrastructure.yml")
    assert "cookbooks/openstack-common/" in refused()


@pytest.mark.parametrize(
    "arguments, line",
    [
        (
            ("--computes", "300"),
            "the network 10.0.112.0/24 has addresses for 253 nodes, but 301 are needed; ",
        ),
        (("--network", "8.8.8.0/24"), "stackcook: network: 8.8.8.0/24 is a public network; "),
        (("--network", "0.0.0.0/0"), "stackcook: network: 0.0.0.0/0 is a public network; "),
        (("--network", "10.0.0.1/24"), "Error: Invalid value for '--network': \"10.0.0.1/24\" is"),
        (
            ("--host", "10.0.0.256"),
            "Error: Invalid value for '--host': \"10.0.0.256\" is not an IP address or host name; ",
        ),
        (("--host", "192.0.2.5", "--host", "192.0.2.5"), "node compute1: address 192.0.2.5 is "),
        (("--name", "My Lab"), 'stackcook: name: invalid value "My Lab"; use '),
        (("--user", ""), "Error: --user has no value"),
        (("--key", ""), "Error: --key has no value"),
        (("--external-interface", ""), "Error: --external-interface has no value"),
        (("--name", ""), "Error: --name has no value"),
        (
            ("--controllers", "3", "--virtual-address", "192.0.2.9", "--host", "192.0.2.5"),
            "3 controllers: the number of --host options is 1; use it 3 times, controllers first",
        ),
        (
            ("--host", "192.0.2.5", "--computes", "1"),
            "a controller and a compute node: the number of --host options is 1; "
            "use it 2 times, controllers first, or omit --computes",
        ),
        (("--network", "10.0.0.0/30"), "the network 10.0.0.0/30 has addresses for 1 node, but 2 "),
        (
            ("--computes", "999999999"),
            "the network 10.0.112.0/24 has addresses for 253 nodes, but ",
        ),
        (("--key", "gone"), "stackcook: nodes: controller: key: file not found: "),
        (("--machines", "kvm"), "Error: Invalid value for '--machines'"),
        (("--computes", "-1"), "Error: Invalid value for '--computes'"),
        (("-o", "x"), "Error: --output needs --from-repository"),
        (
            ("--from-repository", "--name", "x"),
            "Error: --name cannot be combined with --from-repository",
        ),
        (
            ("--from-repository", "--host", "192.0.2.5"),
            "Error: --host cannot be combined with --from-repository",
        ),
        (("gone", "--from-repository"), "gone: directory not found; "),
    ],
)
def test_what_can_t_be(arguments: tuple[str, ...], line: str) -> None:
    assert refused(*arguments).startswith(line)


def test_hosts_without_a_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".ssh" / "id_ed25519").unlink()
    assert refused("--machines", "ssh").startswith(f"no SSH key found in {home / '.ssh'}; ")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    options = ("--machines", "ssh", "--host", "192.0.2.10")
    assert run("init", *options, "there").exit_code == 0


def test_the_home_directory_of_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other users cannot see which files are in it."""
    monkeypatch.setenv("HOME", f"/{'x' * 300}")  # as good as one: stat raises an error for it, too
    init("there")


def test_a_directory_that_looks_like_an_option() -> None:
    assert "next: cd ./-lab; stackcook check" in init("--", "-lab").stdout


def test_a_directory_below_a_file() -> None:
    Path("there").touch()
    assert refused("there") == "there: is not a directory; use another path"
    why = "is not a directory; move this file away: stackcook needs a directory here"
    assert refused("there/lab") == f"{Path('there').absolute()}: {why}"


@pytest.fixture
def repository() -> Path:
    """A Chef repository with a bit of everything in it, and nothing wrong."""
    root = Path("chef")
    files = {
        "cookbooks/app/metadata.rb": "name 'app'\nversion '1.0.0'\ndepends 'base'\n",
        "cookbooks/app/recipes/default.rb": "",
        "cookbooks/base/metadata.rb": "name 'base'\nversion '2.0.0'\n",
        "environments/prod.json": '{"name": "prod"}',
        "roles/web.rb": "name 'web'\nrun_list 'recipe[app]'\n",
        "roles/eu/db.json": '{"name": "db"}',
        "data_bags/users/al.json": '{"id": "al"}',
        "data_bags/empty/README": "",
        "nodes/web1.json": '{"chef_environment": "prod", "run_list": ["role[web]"], '
        '"automatic": {"ipaddress": "192.0.2.5"}}',
        "nodes/db_1.json": '{"run_list": ["role[db]", "recipe[app::default]"]}',
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_repository_s_manifest_names_all_of_it(repository: Path) -> None:
    said = init("chef", "--from-repository").stdout
    assert said == (
        "chef/infrastructure.yml: cookbooks 2, environments 1, roles 2, data bags 2, nodes 2\n"
        "next: cd chef; stackcook check; stackcook plan\n"
    )
    nothing_wrong("chef/infrastructure.yml")
    manifest, _ = read(repository / "infrastructure.yml")
    assert manifest
    assert [(book.name, book.version) for book in manifest.cookbooks] == [
        ("base", "2.0.0"),
        ("app", "1.0.0"),
    ]
    assert [role.text for role in manifest.roles] == ["eu/db", "web"]
    assert [environment.text for environment in manifest.environments] == ["prod"]
    bags = [(bag.name, [item.text for item in bag.items]) for bag in manifest.data_bags]
    assert bags == [("empty", []), ("users", ["al"])]
    nodes = [(n.name, n.host, n.run_list, n.environment) for n in manifest.nodes]
    assert nodes == [
        ("db_1", "db_1", ("role[db]", "recipe[app::default]"), "_default"),
        ("web1", "192.0.2.5", ("role[web]",), "prod"),
    ]


def test_the_same_each_time_and_nothing_but_the_file(repository: Path) -> None:
    first = init("chef", "--from-repository", "-o", "-").stdout
    assert not Path("chef/infrastructure.yml").exists()
    init("chef", "--from-repository")
    assert Path("chef/infrastructure.yml").read_text() == first
    assert "infrastructure.yml" in refused("chef", "--from-repository")
    init("chef", "--from-repository", "--force")
    assert Path("chef/infrastructure.yml").read_text() == first


def test_as_json(repository: Path) -> None:
    said = data_of(init("chef", "--from-repository", "-o", "chef/m.json", "--json").stdout)
    assert said["path"] == "chef/m.json" and said["findings"] == []
    assert said["next"][-1] == "stackcook -f m.json plan"
    assert json.loads(Path("chef/m.json").read_text()) == said["manifest"]
    assert said["manifest"]["roles"] == [{"eu/db": None}, {"web": None}]
    nothing_wrong("chef/m.json")


def test_elsewhere_than_the_repository(repository: Path) -> None:
    said = init("chef", "--from-repository", "-o", "m.yml").stdout.splitlines()
    assert said[1] == "first: move it to chef, beside cookbooks/"


def test_what_is_left_out_is_said(repository: Path) -> None:
    (repository / "roles" / "my role.json").touch()
    result = run("init", "chef", "--from-repository", "--json")
    assert result.exit_code == 0
    assert result.stderr.startswith("chef/roles/my role.json: warning: skipped: ")
    assert data_of(result.stdout)["findings"][0]["where"] == "chef/roles/my role.json"
    nothing_wrong("chef/infrastructure.yml")


def test_a_directory_for_the_file_s_name(repository: Path) -> None:
    wanted = "chef: is a directory; use the path of a file, for example chef/infrastructure.yml"
    assert refused("chef", "--from-repository", "-o", "chef") == wanted
    assert refused("chef", "--from-repository", "-o", "") == "Error: --output has no value"


def test_ruby_is_not_written(repository: Path) -> None:
    assert refused("chef", "--from-repository", "-o", "m.rb").startswith(
        "m.rb: cannot write a manifest in Ruby"
    )


@pytest.mark.parametrize("zones", [1, 2])
def test_three_controllers(zones: int) -> None:
    said = init("lab", "--controllers", "3", "--zones", str(zones)).stdout
    assert "3 controllers and a compute node" in said
    checked = run("-f", "lab/infrastructure.yml", "check")
    assert checked.exit_code == 0, checked.stdout
    assert "warning" not in checked.stdout, checked.stdout
    manifest, _ = read(Path("lab/infrastructure.yml"))
    assert manifest and len(manifest.virtual_addresses) == zones
    assert manifest.nodes[0].run_list == ("role[ceph]", "role[ha-controller]")


def test_an_even_number_of_controllers_is_refused() -> None:
    assert "use 3" in refused("--controllers", "2")
