"""The proxy for a host is the one that knife uses, by its settings and the environment."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from stackcook.chef.rest.proxies import Proxy, find_proxy
from stackcook.chef.server.settings import find_chef_server
from stackcook.command import Command, find_program, run
from stackcook.manifest.model import Manifest

CONFIG = "chef_server_url 'http://chef.example.com'\nnode_name 'me'\n"
SETTINGS = [
    "",
    "http_proxy 'proxy:3128'\nno_proxy '*host, b.org'",
    "http_proxy 'proxy'\nhttps_proxy 'proxy'\nhttp_proxy_user 'u@:ser'\nhttp_proxy_pass 'p@/%'",
    "https_proxy 'https://a:b@proxy'\nhttps_proxy_user 'c'\nhttps_proxy_pass 'd'",
    "http_proxy_user 'c'\nhttp_proxy_pass 'd'",
]
ENVIRONMENTS: list[dict[str, str]] = [
    {},
    {"http_proxy": "http://other:1", "https_proxy": " other "},
    {"http_proxy": "", "no_proxy": ""},
    {"http_proxy": "http://other", "no_proxy": "*.example.com"},
    {"http_proxy": "http://other", "no_proxy": "**.example.com"},
    {"http_proxy": "http://other", "no_proxy": "*host"},
    {"http_proxy": "http://other", "no_proxy": "a.example.com , b.org,"},
    {"http_proxy": "http://other", "no_proxy": ",x"},
    {"http_proxy": "http://other", "no_proxy": "chef.*, a.example.com:80"},
    {"http_proxy": "http://other", "no_proxy": "*"},
    {"https_proxy": "https://me:pass@other"},
]
HOSTS = ["chef.example.com", "a.example.com", "example.com", "myhost", "b.org", "xb.org"]

# For each environment, scheme and host: [host of the proxy, port, user, password], or null.
SCRIPT = """
class Chef::HTTP::BasicClient
  public :http_proxy_user, :http_proxy_pass
end
names = %w(http_proxy https_proxy no_proxy)
found = JSON.parse(ENV['ENVIRONMENTS']).map do |environment|
  (names + names.map(&:upcase)).each { |name| ENV.delete(name) }
  environment.each { |name, value| ENV[name] = value }
  Chef::Config.export_proxies
  JSON.parse(ENV['HOSTS']).product(%w(http https)).map do |host, scheme|
    proxy = Chef::Config.proxy_uri(scheme, host, 80) or next
    client = Chef::HTTP::BasicClient.new(URI("#{scheme}://#{host}"))
    [proxy.host, proxy.port, client.http_proxy_user(proxy), client.http_proxy_pass(proxy)]
  end
end
puts 'JSON: ' + found.to_json
"""


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_proxy_is_that_of_knife(settings: str, manifest: Manifest, tmp_path: Path) -> None:
    config = manifest.root / ".chef" / "config.rb"
    config.parent.mkdir(exist_ok=True)
    config.write_text(CONFIG + settings)
    server = find_chef_server(replace(manifest, chef_server=None), environ={"HOME": str(tmp_path)})
    assert server
    for environment, theirs in zip(ENVIRONMENTS, knifes(config)):
        pairs = [(host, scheme) for host in HOSTS for scheme in ("http", "https")]
        for (host, scheme), their in zip(pairs, theirs, strict=True):
            ours = find_proxy(scheme, host, server.proxies, environment)
            assert ours == proxy(their), (settings, environment, scheme, host)


def knifes(config: Path) -> Any:
    argv = (str(find_program("knife")), "exec", "-E", SCRIPT, "-c", str(config))
    env = {"ENVIRONMENTS": json.dumps(ENVIRONMENTS), "HOSTS": json.dumps(HOSTS)}
    done = run(Command(argv, env=env, cwd=config.parent), timeout=120)
    lines = [line for line in done.output.splitlines() if line.startswith("JSON: ")]
    assert lines, done.output
    return json.loads(lines[0].removeprefix("JSON: "))


def proxy(theirs: Any) -> Proxy | None:
    """knife's answer; its user and password may be those of a URL, with escapes."""
    if theirs is None:
        return None
    host, port, user, password = theirs
    login = f"{unquote(user)}:{unquote(password or '')}" if user else ""
    return Proxy(f"http://{host}:{port}", login)
