"""Which Chef server: found as knife finds it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackcook.chef.settings import find_chef_server
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
    return find_chef_server(manifest, home=home, environ=environ)


def test_without_any_it_is_the_embedded_one(manifest: Manifest, tmp_path: Path) -> None:
    assert find(manifest, tmp_path) is None


def test_the_manifest_wins(manifest: Manifest, tmp_path: Path) -> None:
    write(tmp_path / ".chef" / "config.rb", CONFIG % "'me'")
    own = ChefServer("http://own", "me", tmp_path / "key.pem")
    assert find(replace(manifest, chef_server=own), tmp_path) == own


@pytest.mark.parametrize("name", ["config.rb", "knife.rb"])
def test_a_configuration_above(manifest: Manifest, tmp_path: Path, name: str) -> None:
    write(tmp_path / "work" / ".chef" / name, CONFIG % "'me'")
    assert find(manifest, tmp_path) == ChefServer(
        "https://chef.example.com/organizations/ops", "me", tmp_path / "work" / ".chef" / "me.pem"
    )


def test_the_nearest_wins(manifest: Manifest, tmp_path: Path) -> None:
    write(tmp_path / ".chef" / "config.rb", CONFIG % "'far'")
    write(manifest.root / ".chef" / "knife.rb", CONFIG % "'near'")
    found = find(manifest, tmp_path)
    assert found and found.user == "near"


def test_a_profile_of_the_credentials(manifest: Manifest, tmp_path: Path) -> None:
    text = """\
[default]
client_name = "me"
chef_server_url = "https://one"
[two]
node_name = "you"
client_key = "you.pem"
chef_server_url = "https://two"
"""
    write(tmp_path / ".chef" / "credentials", text)
    key = write(tmp_path / ".chef" / "me.pem", "")
    assert find(manifest, tmp_path) == ChefServer("https://one", "me", key)
    two = ChefServer("https://two", "you", tmp_path / ".chef" / "you.pem")
    assert find(manifest, tmp_path, CHEF_PROFILE="two") == two
    write(tmp_path / ".chef" / "context", "two\n")
    assert find(manifest, tmp_path) == two
    with pytest.raises(UsageError, match='credentials: it has no profile "three"'):
        find(manifest, tmp_path, CHEF_PROFILE="three")


def test_a_configuration_without_server_is_none(manifest: Manifest, tmp_path: Path) -> None:
    write(tmp_path / ".chef" / "config.rb", "cookbook_copyright 'me'\n")
    assert find(manifest, tmp_path) is None


def test_faults_have_their_place(manifest: Manifest, tmp_path: Path) -> None:
    config = write(tmp_path / ".chef" / "config.rb", "log_level :info\nFile.read('/absent')\n")
    with pytest.raises(InputError, match="config.rb:2:1: error: Ruby: Errno::ENOENT"):
        find(manifest, tmp_path)
    config.unlink()
    write(tmp_path / ".chef" / "credentials", "[default\n")
    with pytest.raises(InputError, match="credentials: error: .*line 1"):
        find(manifest, tmp_path)
