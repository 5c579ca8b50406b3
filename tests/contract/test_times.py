"""What stackcook's own settings make a real chef-client say, and when."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

from stackcook.bootstrap.converge import run_config
from stackcook.bootstrap.output import Times
from stackcook.command import find_program

RECIPE = """
ruby_block 'wait' do
  block { loop { sleep 0.1; break if File.exist?(%r) } }
end
"""
CLIENT = """
chef_repo_path %r
file_cache_path %r
node_name 'one'
chef_license 'accept-silent'
"""


def test_a_run_tells_at_once_what_it_is_at_and_at_the_end_what_took_long(tmp_path: Path) -> None:
    go, client = tmp_path / "go", tmp_path / "client.rb"
    recipe = tmp_path / "cookbooks" / "one" / "recipes" / "default.rb"
    recipe.parent.mkdir(parents=True)
    recipe.write_text(RECIPE % str(go))
    (recipe.parent.parent / "metadata.rb").write_text("name 'one'\nversion '1.0.0'\n")
    client.write_text(CLIENT % (str(tmp_path), str(tmp_path / "cache")))
    config = tmp_path / "stackcook.rb"
    config.write_text(run_config().replace("/etc/chef/client.rb", str(client)))
    argv = (find_program("chef-client"), "-z", "-c", config, "-o", "recipe[one]", "--no-color")
    process = subprocess.Popen(
        (*argv, "--force-formatter", "--format", "doc"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=tmp_path,
    )
    assert process.stdout
    said = b""
    late = threading.Timer(300, process.kill)
    late.start()
    try:
        while chunk := os.read(process.stdout.fileno(), 65536):
            said += chunk
            if b"ruby_block[wait] action run" in said:  # though it has not ended, nor has the line
                go.touch()
    finally:
        late.cancel()
        process.kill()
        process.wait()
    times = Times()
    lines = [line for line in said.decode().splitlines() if not times.feed(line)]
    assert process.returncode == 0, said.decode()
    assert lines[-1].startswith("Infra Phase complete, 1/1 resources updated")
    assert [(each.name, each.recipe) for each in times.slowest] == [
        ("ruby_block[wait]", "one::default")
    ]
