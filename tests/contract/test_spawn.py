"""A program that spawn.rb starts for Ohai gets and gives what a forked one of Chef's does."""

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
SPAWN = Path(times.__file__).with_name("spawn.rb")

# Runs the same programs before and after, and counts the forks.
ASK = """
require 'ffi'
require 'mixlib/shellout'
STDIN.close_on_exec = false
$leak = File.open('/dev/null')
$leak.close_on_exec = false
$forks = 0
Mixlib::ShellOut.prepend(Module.new { def fork(&block) = ($forks += 1) && super })

def tell(*command, **options)
  before = $forks
  done = Mixlib::ShellOut.new(*command, **options)
  said = begin
    done.run_command
    [done.stdout, done.stderr, done.exitstatus, done.status.termsig]
  rescue StandardError => e
    [e.class.name]
  end
  { said: said, forks: $forks - before }
end

def all
  alone = ['ruby', '-e', 'puts Process.getsid == Process.pid, Process.getpgrp == Process.pid']
  # those that it ignores, but for 32 and 33, which the C library keeps for itself
  signals = 'set -- $(sed -n "s/^SigIgn:/0x/p" /proc/self/status); echo $(($1$2 & ~0x180000000))'
  env = { 'PATH' => "#{ENV.fetch('TOOLS')}:/usr/bin:/bin", 'GIVEN' => 'größe', 'HOME' => nil }
  # the shell's own words and signs: it says 127 where Ruby says that there is no such program
  each = (' '..'~').to_a - %w(& | >) + ["\\t", "\\n", 'ö']
  each = each.flat_map { |sign| ["not-there a#{sign}b", "not#{sign}there a"] }
  each += ['', ' ', ' uname  -s ', 'uname>/dev/null', 'true&', 'true|not-there', '! true', 'cd /']
  each += ['exec true', 'lscpu -p=CPU']
  {
    **each.to_h { |line| [line, tell(line)] },
    plain: tell('uname -s'),
    words: tell('printf', '%s|', 'a b', '$HOME', ''),
    shell: tell('echo one; echo two >&2; exit 3'),
    assignment: tell('A=b env', env: { 'LC_ALL' => 'C' }),
    builtin: tell('exit 4'),
    bytes: tell("test \\xff = \\xff"),
    one_word: tell(['echo a']),
    session: tell(*alone),
    files: tell('ls /proc/self/fd'),
    signals: tell(signals),
    killed: tell('kill -9 $$'),
    environment: tell('tool', env: env),
    input: tell('cat', input: 'given'),
    no_input: tell('cat'),
    much: tell('seq 200000'),
    too_long: tell('sleep 60 & sleep 60', timeout: 0.1),
    none: tell('not-there'),
    none_of_words: tell('not-there', '-x'),
    no_program: tell(ENV.fetch('TOOLS')),
    no_interpreter: tell(File.join(ENV.fetch('TOOLS'), 'bare')),
    elsewhere: tell('pwd', cwd: '/usr'),
    mask: tell('umask', umask: '077'),
    group: tell('id -g', group: 0),
  }
end

said = { before: all }
Chef::Config.from_file(ENV.fetch('SPAWN'))
said[:recipe] = tell('uname -s')
Thread.current[:asked_by_ohai] = true
said[:after] = all
File.write(ENV.fetch('SAID'), JSON.generate(said))
"""
FORKED = {"elsewhere", "mask", "group", "builtin", "none", "none_of_words", "no_program"}
"""What Chef's own way is for, all the same."""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    here = tmp_path_factory.mktemp("spawn")
    (tools := here / "tools").mkdir()
    (tools / "tool").write_text("#!/bin/sh\nenv | grep -v ^_=\n")
    (tools / "bare").write_text("echo bare\n")
    for tool in ("tool", "bare"):
        (tools / tool).chmod(0o755)
    (here / "config.rb").touch()
    (here / "ask.rb").write_text(ASK)
    given = {"TOOLS": str(tools), "SPAWN": str(SPAWN), "SAID": str(here / "said")}
    command = (KNIFE, "exec", here / "ask.rb", "-z", "-c", here / "config.rb")
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, cwd=here, env={**os.environ, **given}
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads((here / "said").read_text())
    return answer


def test_a_program_gets_and_gives_the_same(said: dict[str, Any]) -> None:
    after = {name: told["said"] for name, told in said["after"].items()}
    assert after == {name: told["said"] for name, told in said["before"].items()}
    assert after["shell"] == ["one\n", "two\n", 3, None]
    assert after["session"][0] == "true\ntrue\n"
    assert after["too_long"] == ["Mixlib::ShellOut::CommandTimeout"]
    assert "GIVEN=größe\n" in after["environment"][0]
    assert "\nHOME=" not in f"\n{after['environment'][0]}"


def test_what_recipes_start_is_started_as_ever(said: dict[str, Any]) -> None:
    assert said["recipe"] == said["before"]["plain"]


def test_chef_is_forked_only_where_it_must_be(said: dict[str, Any]) -> None:
    assert {told["forks"] for told in said["before"].values()} == {1}
    assert {name for name, told in said["after"].items() if told["forks"]} >= FORKED
    spared = {name for name, told in said["after"].items() if not told["forks"]}
    assert spared >= {"plain", "words", "shell", "session", "environment", "input", "too_long"}
