"""config.rb: what it says to Ruby."""

from __future__ import annotations

from pathlib import Path

from stackcook.chef.server.knifeconfig import write_config
from stackcook.chef.loader.ruby import Kind, Source, evaluate
from stackcook.manifest.model import ChefServer


def test_it_is_relative_to_itself(tmp_path: Path) -> None:
    state = tmp_path / "it's here" / ".stackcook"
    config = write_config(state, ChefServer("http://a\\'b", "admin", state / "chef" / "admin.pem"))
    root = state.parent.rename(tmp_path / "moved")
    moved = root / config.relative_to(state.parent)
    said = evaluate([Source(Kind.CONFIG, moved)])[moved]
    assert isinstance(said, dict)
    assert said["chef_server_url"] == "http://a\\'b"
    assert said["client_key"] == str(root / ".stackcook" / "chef" / "admin.pem")
    assert said["chef_repo_path"] == str(root)
    bags = [str(root / "data_bags"), str(root / ".stackcook" / "data_bags")]
    assert said["data_bag_path"] == bags


def test_a_key_elsewhere_stays_there(tmp_path: Path) -> None:
    key = tmp_path / "home" / "me.pem"
    config = write_config(tmp_path / ".stackcook", ChefServer("http://a", "me", key))
    said = evaluate([Source(Kind.CONFIG, config)])[config]
    assert isinstance(said, dict)
    assert said["client_key"] == str(key)
