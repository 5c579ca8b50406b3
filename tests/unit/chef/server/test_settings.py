"""Which Chef server: found as knife finds it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackcook.chef.server.settings import find_chef_server
from stackcook.errors import InputError, UsageError
from stackcook.manifest.model import ChefServer, Manifest

CONFIG = """\
current_dir = File.dirname(__FILE__)
log_level :info
node_name %s
client_key "#{current_dir}/me.pem"
chef_server_url 'https://chef.example.com/organizations/' + ENV.fetch('ORG', 'ops')
cookbook_path ["#{current_dir}/../cookbooks"]
knife[:ssh_user] = 'root'
Chef::Config[:http_retry_count] = 3
"""

PROFILE = """\
[default]
client_name = "me"
chef_server_url = "https://one"
"""


@pytest.fixture
def manifest(make: Any, tmp_path: Path) -> Manifest:
    """A manifest in ``work/deep`` below the home directory ``tmp_path``."""
    made: Manifest = make({"work/deep/x": ""})
    return replace(made, path=tmp_path / "work" / "deep" / "infrastructure.yml")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def find(manifest: Manifest, home: Path, **environ: str) -> ChefServer | None:
    return find_chef_server(manifest, environ={"HOME": str(home), **environ})


def server(url: str, user: str, key: Path, *, config: Path | None = None) -> ChefServer:
    """What is found where nothing is said of certificates; ``config`` is in the key's directory."""
    return ChefServer(url, user, key, trusted_certs=(config or key).parent / "trusted_certs")


def test_proxies_of_this_machine_and_of_nodes(manifest: Manifest, tmp_path: Path) -> None:
    lines = ("http_proxy 'p:1'", "no_proxy nil", "knife[:bootstrap_proxy] = 'q'")
    write(tmp_path / ".chef" / "config.rb", CONFIG % "'me'" + "\n".join(lines))
    found = find(manifest, tmp_path)
    assert found and found.proxies == {"http_proxy": "p:1", "bootstrap_proxy": "q"}


def test_no_chef_server(manifest: Manifest, tmp_path: Path) -> None:
    assert find(manifest, tmp_path) is None


def test_the_manifest_wins(manifest: Manifest, tmp_path: Path) -> None:
    write(tmp_path / ".chef" / "config.rb", CONFIG % "'me'")
    own = ChefServer("http://own", "me", tmp_path / "key.pem")
    assert find(replace(manifest, chef_server=own), tmp_path) == own


@pytest.mark.parametrize("name", ["config.rb", "knife.rb"])
def test_a_configuration_above(manifest: Manifest, tmp_path: Path, name: str) -> None:
    write(tmp_path / "work" / ".chef" / name, CONFIG % "'me'")
    assert find(manifest, tmp_path) == server(
        "https://chef.example.com/organizations/ops", "me", tmp_path / "work" / ".chef" / "me.pem"
    )


def test_a_configuration_beside_the_manifest(manifest: Manifest, tmp_path: Path) -> None:
    write(manifest.root / ".chef" / "config.rb", CONFIG % "'hidden'")
    write(manifest.root / "knife.rb", CONFIG % "'beside'")
    found = find(manifest, tmp_path)
    assert found and found.user == "beside"
    write(tmp_path / "own" / "knife.rb", CONFIG % "'own'")
    found = find(manifest, tmp_path, KNIFE_HOME=str(tmp_path / "own"))
    assert found and found.user == "own"


def test_another_home(manifest: Manifest, tmp_path: Path) -> None:
    write(tmp_path / "own" / ".chef" / "credentials", PROFILE)
    found = find(manifest, tmp_path, CHEF_HOME=str(tmp_path / "own"))
    assert found and found.user == "me"
    assert find(manifest, tmp_path, CHEF_HOME=str(tmp_path / "absent")) is None


def test_what_lies_in_config_d_comes_last(manifest: Manifest, tmp_path: Path) -> None:
    write(tmp_path / ".chef" / "config.rb", CONFIG % "'me'")
    write(tmp_path / ".chef" / "config.d" / "1.rb", "node_name 'first'\n")
    write(tmp_path / ".chef" / "config.d" / "2.rb", "node_name 'last'\n")
    found = find(manifest, tmp_path)
    assert found and found.user == "last"


def test_certificates_and_protocol(manifest: Manifest, tmp_path: Path) -> None:
    more = """\
ssl_ca_file "#{current_dir}/ca.pem"
trusted_certs_dir '/etc/certs'
ssl_verify_mode :verify_none
authentication_protocol_version '1.3'
"""
    write(tmp_path / ".chef" / "config.rb", CONFIG % "'me'" + more)
    assert find(manifest, tmp_path) == ChefServer(
        "https://chef.example.com/organizations/ops",
        "me",
        tmp_path / ".chef" / "me.pem",
        ca_file=tmp_path / ".chef" / "ca.pem",
        trusted_certs=Path("/etc/certs"),
        verify=False,
    )
    (tmp_path / ".chef" / "config.rb").unlink()
    write(tmp_path / ".chef" / "credentials", PROFILE + 'ssl_verify_mode = ":verify_none"\n')
    found = find(manifest, tmp_path)
    assert found and not found.verify


def test_a_path_of_a_user_whom_this_machine_does_not_know(
    manifest: Manifest, tmp_path: Path
) -> None:
    write(tmp_path / ".chef" / "credentials", PROFILE + 'client_key = "~nobody-here/me.pem"\n')
    found = find(manifest, tmp_path)
    assert found and found.key == tmp_path / ".chef" / "~nobody-here" / "me.pem"


def test_certificates_that_knife_fetched_hold_for_the_manifests_server(
    manifest: Manifest, tmp_path: Path
) -> None:
    own = ChefServer("http://own", "me", tmp_path / "key.pem")
    write(tmp_path / ".chef" / "trusted_certs" / "own.crt", "")
    found = find(replace(manifest, chef_server=own), tmp_path)
    assert found == replace(own, trusted_certs=tmp_path / ".chef" / "trusted_certs")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (
            "authentication_protocol_version '1.1'",
            "authentication_protocol_version is 1.1; stackcook only supports 1.3; remove",
        ),
        (
            "client_key_contents 'x'",
            "the private key itself is in the knife settings, which is not supported; put it in "
            "a file",
        ),
        (
            "client_key '-----BEGIN RSA'",
            "the private key itself is in the knife settings, which is not supported",
        ),
    ],
)
def test_unsupported_settings(manifest: Manifest, tmp_path: Path, setting: str, words: str) -> None:
    write(tmp_path / ".chef" / "config.rb", CONFIG % "'me'" + setting)
    with pytest.raises(UsageError, match=words):
        find(manifest, tmp_path)


def test_a_profile_has_one_name(manifest: Manifest, tmp_path: Path) -> None:
    write(tmp_path / ".chef" / "credentials", PROFILE + 'node_name = "you"\n')
    with pytest.raises(UsageError, match='"default" has both client_name and node_name'):
        find(manifest, tmp_path)


def test_the_nearest_wins(manifest: Manifest, tmp_path: Path) -> None:
    write(tmp_path / ".chef" / "config.rb", CONFIG % "'far'")
    write(manifest.root / ".chef" / "knife.rb", CONFIG % "'near'")
    found = find(manifest, tmp_path)
    assert found and found.user == "near"


def test_a_profile_of_the_credentials(manifest: Manifest, tmp_path: Path) -> None:
    text = f"""\
{PROFILE}
[two]
node_name = "you"
client_key = "you.pem"
chef_server_url = "https://two"
"""
    write(tmp_path / ".chef" / "credentials", text)
    key = write(tmp_path / ".chef" / "me.pem", "")
    assert find(manifest, tmp_path) == server("https://one", "me", key)
    two = server("https://two", "you", tmp_path / ".chef" / "you.pem")
    assert find(manifest, tmp_path, CHEF_PROFILE="two") == two
    write(tmp_path / ".chef" / "context", "two\n")
    assert find(manifest, tmp_path) == two
    with pytest.raises(UsageError, match='credentials: unknown profile "three"'):
        find(manifest, tmp_path, CHEF_PROFILE="three")


def test_a_configuration_without_server_is_none(manifest: Manifest, tmp_path: Path) -> None:
    write(tmp_path / ".chef" / "config.rb", "cookbook_copyright 'me'\n")
    assert find(manifest, tmp_path) is None


BROKEN = "log_level :info\n%sFile.read('/absent')\n"


def test_errors_show_file_and_line(manifest: Manifest, tmp_path: Path) -> None:
    text = BROKEN % "chef_server_url 'http://own'\n"
    config = write(tmp_path / ".chef" / "config.rb", text)
    with pytest.raises(InputError, match="config.rb:3:1: error: Ruby: Errno::ENOENT"):
        find(manifest, tmp_path)
    config.unlink()
    write(tmp_path / ".chef" / "credentials", "[default\n")
    with pytest.raises(InputError, match="credentials: error: .*line 1"):
        find(manifest, tmp_path)


def test_a_broken_configuration_does_not_stop_users_of_the_embedded_server(
    manifest: Manifest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / ".chef" / "config.rb", BROKEN % "# chef_server_url 'http://old'\n")
    assert find(manifest, tmp_path) is None
    (warning,) = caplog.messages
    assert "config.rb:3:1: warning: Ruby: Errno::ENOENT" in warning
    assert "(the file is ignored: it names no Chef server); correct the file" in warning

    write(tmp_path / ".chef" / "config.rb", BROKEN % "chef_server_url 'http://own'\n")
    (manifest.state / "chef" / "server").mkdir(parents=True)
    assert find(manifest, tmp_path) is None
    assert "this deployment has an embedded Chef server" in caplog.messages[-1]


def test_a_broken_configuration_matters_if_the_credentials_name_a_server(
    manifest: Manifest, tmp_path: Path
) -> None:
    write(tmp_path / ".chef" / "credentials", PROFILE)
    write(tmp_path / ".chef" / "config.rb", BROKEN % "")
    with pytest.raises(InputError, match="config.rb:2:1: error: Ruby: Errno::ENOENT"):
        find(manifest, tmp_path)
