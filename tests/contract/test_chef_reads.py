"""Templates and JSON are right or wrong to ``check`` as they are to Chef itself."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from stackcook.chef.checks import syntax
from stackcook.chef.loader import jsontext, ruby
from stackcook.chef.server.settings import find_chef_server
from stackcook.manifest.model import Manifest

KNIFE = Path(sys.executable).with_name("knife")
SYNTAX = Path(syntax.__file__).with_name("syntax.rb")

PIECES = (
    *("<% if x %>", "<% else -%>", "<%- end %>", "<% end -%>", "<% case x %>", "<% when 1 %>"),
    *("<%= y %>", "<%= y -%>", "<%== y %>", "<%= y # z %>", "<%= [1].each do |n| %>", "<%= %>"),
    *(
        "<%# if %>",
        "<%#\n if\n%>",
        "<%% if %>",
        "<% y # z %>",
        "<%\ny\n%>",
        "<% [1].each do |n| %>",
    ),
    *("<% { %>", "<% } %>", "<%", "%>", "it's", "\\", "a", " ", "\t", "\n", "\n", "\r\n", "#", ""),
)
TEXTS = (
    *("{}", "[]", "// c\n{}", '{"a": /* c */ 1} // c', '{"a": 1 /* c', "/* c */", "{} {}", "{} x"),
    *('{"a": 1,}', "{'a': 1}", '{"a": NaN}', '{"a": -Infinity}', '{"a": "\t"}', '{"a": 01}'),
    *('{"a": 1.}', '{"a": "\\x"}', '{"a": "//", "b": "/* "}', '{"a": # c\n1}', "\ufeff{}", "{", ""),
)

# Chef's own verdicts, for one start of knife.
ASK = """
require 'chef/cookbook/syntax_check'
require 'chef/json_compat'
Chef::Log.level = :fatal
check = Chef::Cookbook::SyntaxCheck.new(%<here>p)
def check.invalid_erb_file(*) = nil
templates = Dir[%<here>p + '/*.erb'].sort.map { |file| check.send(:validate_erb_file_inline, file) }
texts = JSON.parse(File.read(%<here>p + '/texts.json')).map do |text|
  !Chef::JSONCompat.parse(text).nil?
rescue Chef::Exceptions::JSON::ParseError
  false
end
File.write(%<here>p + '/verdicts.json', JSON.generate([templates, texts]))
"""


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bool], list[bool]]:
    here = tmp_path_factory.mktemp("chef_reads")
    chosen = random.Random(18)
    for number in range(1000):
        text = "".join(chosen.choices(PIECES, k=chosen.randint(1, 7)))
        (here / f"{number:03}.erb").write_text(text, newline="")
    (here / "texts.json").write_text(json.dumps(TEXTS))
    (here / "config.rb").touch()
    (here / "ask.rb").write_text(ASK.replace("%<here>p", json.dumps(str(here))))
    command = (KNIFE, "exec", here / "ask.rb", "-z", "-c", here / "config.rb")
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=here)
    assert done.returncode == 0, done.stderr
    templates, texts = json.loads((here / "verdicts.json").read_text())
    return here, templates, texts


def test_templates(verdicts: tuple[Path, list[bool], list[bool]]) -> None:
    here, theirs, _ = verdicts
    paths = sorted(here.glob("*.erb"))
    answers = ruby.ask(SYNTAX, [{"kind": "erb", "path": str(path)} for path in paths])
    ours = [not answer for answer in answers]
    differing = [p.read_text() for p, o, t in zip(paths, ours, theirs) if o is not t]
    assert differing == []
    assert 100 < sum(ours) < len(ours) - 100, "both kinds are there"


def test_json(verdicts: tuple[Path, list[bool], list[bool]]) -> None:
    assert [takes(text) for text in TEXTS] == verdicts[2]


def takes(text: str) -> bool:
    try:
        jsontext.parse(text)
    except jsontext.Malformed:
        return False
    return True


CONFIG = """\
require 'chef/version_constraint'
here = File.dirname(__FILE__)
Chef::Log.info('read')
Chef::Config.from_file(File.join(here, 'more.rb'))
Chef::Config.chef_server_url = "https://chef.example.com/organizations/v#{Chef::VERSION.to_i}"
cookbook_path Array(cookbook_path) + [File.join(here, '..', 'cookbooks')]
knife[:editor] = 'ed'
if Gem::Version.new(Chef::VERSION) > Gem::Version.new('12.0')
  client_key File.join(here, 'me.pem')
end
"""
SETTINGS = "[:node_name, :chef_server_url, :client_key, :ssl_verify_mode]"


def test_a_configuration_that_uses_chef(tmp_path: Path) -> None:
    chef = tmp_path / ".chef"
    (chef / "config.d").mkdir(parents=True)
    (chef / "config.rb").write_text(CONFIG)
    (chef / "more.rb").write_text("node_name 'me'\n")
    (chef / "config.d" / "last.rb").write_text("ssl_verify_mode :verify_none\n")
    manifest = Manifest(tmp_path / "infrastructure.yml", "reads")
    found = find_chef_server(manifest, environ={"HOME": str(tmp_path)})

    code = f"puts JSON.generate({SETTINGS}.map {{ |name| Chef::Config[name].to_s }})"
    command = (KNIFE, "exec", "-E", code, "-c", chef / "config.rb")
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    user, url, key, verify = json.loads(done.stdout)
    assert found and (found.user, found.url, str(found.key)) == (user, url, key)
    assert verify == "verify_none" and not found.verify
