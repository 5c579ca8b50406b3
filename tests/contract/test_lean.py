"""What spares a run of Chef work takes nothing away from recipes; asked of real Chef and Ohai."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stackcook.bootstrap import times

KNIFE = Path(sys.executable).with_name("knife")
LEAN = Path(times.__file__).with_name("lean.rb")

# Tells what Ohai finds before and after, and what of InSpec is loaded when, in one run of knife.
ASK = """
require 'chef/formatters/doc'
require 'chef/compliance/runner'
require 'ohai'
require 'stringio'

def paths(data, at = '')
  data.is_a?(Hash) ? data.flat_map { |key, value| paths(value, "#{at}/#{key}") } : [at]
end

def found(*names)
  ohai = Ohai::System.new(invoked_by: 'knife')
  ohai.all_plugins(names)
  ohai.data
end

def inspec?
  $LOADED_FEATURES.any? { |path| path.end_with?('/inspec/runner.rb') }
end

ASKED = %w(languages kernel dmi cpu platform hostname zpools virtualization)
before = found(*ASKED)
said = { before: paths(before).sort, ruby_before: before['languages']['ruby'] }
Chef::Config.from_file(ENV.fetch('LEAN'))
started = []
asked = []
Mixlib::ShellOut.prepend(Module.new do
  define_method(:run_command) do
    started << command
    asked << Thread.current[:asked_by_ohai]
    super()
  end
end)
after = found(*ASKED)
said[:after] = paths(after).sort
said[:ruby_after] = after['languages']['ruby']
said[:started] = started.map(&:to_s)
said[:asked] = asked.uniq + [Thread.current[:asked_by_ohai]]
said[:heap] = ENV.keys.grep(/RUBY_GC/)
printed = StringIO.new
doc = Chef::Formatters::Doc.new(printed, printed)
doc.profiles_load_start
runner = Chef::Compliance::Runner.new
runner.node = Chef::Node.new
said[:enabled] = runner.enabled?
said[:loaded] = inspec?
said[:printed] = printed.string
said[:ruby] = [CSV, ERB, CGI, OpenURI].map(&:name)
theirs = Chef::Compliance::Runner::Inspec
said[:more] = [theirs::Runner, theirs::FetcherFailure].map(&:name)
said[:loaded_then] = inspec?
lua = File.join(ENV.fetch('TOOLS'), 'lua')
File.write(lua, "#!/bin/sh\\necho 'Lua 5.4.6  Copyright'\\n", perm: 0o755)
said[:lua] = found('languages').dig('languages', 'lua', 'version')
File.write(File.join(ENV.fetch('TOOLS'), 'ruby'), "#!/bin/sh\\necho version=9.9\\n", perm: 0o755)
said[:other_ruby] = found('languages').dig('languages', 'ruby')
said[:words] = Ohai.plugin(:Words) {}.new({}, Ohai::Log).shell_out(%w(printf %s|%s a b)).stdout
File.write(ENV.fetch('SAID'), JSON.generate(said))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    here = tmp_path_factory.mktemp("lean")
    (tools := here / "tools").mkdir()
    (here / "config.rb").touch()
    (here / "ask.rb").write_text(ASK)
    env = {
        **os.environ,
        **dict(setting.split("=") for setting in times.HEAP),
        "PATH": f"{tools}:{os.environ['PATH']}",
        "TOOLS": str(tools),
        "LEAN": str(LEAN),
        "SAID": str(here / "said"),
    }
    command = (KNIFE, "exec", here / "ask.rb", "-z", "-c", here / "config.rb")
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=here, env=env)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads((here / "said").read_text())
    return answer


def test_ohai_finds_the_same(said: dict[str, Any]) -> None:
    assert "/languages/ruby/version" in said["before"]
    assert said["after"] == said["before"]


def test_our_own_ruby_is_asked_without_a_start(said: dict[str, Any]) -> None:
    assert said["ruby_after"] == said["ruby_before"]
    assert [command for command in said["started"] if command.startswith("uname")]
    assert not [command for command in said["started"] if command.startswith("ruby")]
    assert said["other_ruby"] == {"version": "9.9"}


def test_only_ohai_s_programs_are_marked_as_its_own(said: dict[str, Any]) -> None:
    assert said["asked"] == [True, False]


def test_a_plugin_may_give_a_command_as_words(said: dict[str, Any]) -> None:
    assert said["words"] == "a|b"


def test_ohai_finds_what_was_installed_meanwhile(said: dict[str, Any]) -> None:
    assert said["lua"] == "5.4.6"


def test_inspec_is_loaded_where_more_than_its_name_is_asked_for(said: dict[str, Any]) -> None:
    assert said["printed"].strip() == "Loading Chef InSpec profile files:"
    assert (said["enabled"], said["loaded"]) == (False, False)
    assert said["more"] == ["Inspec::Runner", "Inspec::FetcherFailure"]
    assert said["loaded_then"]


def test_recipes_have_what_inspec_loads_of_ruby(said: dict[str, Any]) -> None:
    assert said["ruby"] == ["CSV", "ERB", "CGI", "OpenURI"]


def test_what_recipes_start_does_not_inherit_chef_s_heap(said: dict[str, Any]) -> None:
    assert said["heap"] == []


def test_ruby_takes_the_heap_that_it_is_given() -> None:
    """Whatever Ruby's version calls it; one that it doesn't know would change nothing, silently."""
    make = "kept = Array.new(200_000) { 'a' * 100 }; puts GC.count"
    given = subprocess.run(("env", *times.HEAP, "ruby", "-e", make), capture_output=True, text=True)
    plain = subprocess.run(("ruby", "-e", make), capture_output=True, text=True)
    assert (given.returncode, given.stderr) == (0, "")
    assert int(given.stdout) < int(plain.stdout) / 2
