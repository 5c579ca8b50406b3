"""``config.rb``: with it real knife works on the same server and the same repository."""

from __future__ import annotations

import json
from pathlib import Path

from stackcook.files import write_private
from stackcook.manifest.model import ChefServer

NAME = "config.rb"

_TEMPLATE = """\
# Written by stackcook, anew each time: changes are lost.
# knife -c .stackcook/chef/config.rb diff
state = File.expand_path('..', File.dirname(__FILE__))
root = File.dirname(state)

chef_server_url {url}
node_name {user}
client_key {key}
validation_key File.join(state, 'none.pem') # not there: nodes are registered by this user

chef_repo_path root
data_bag_path [File.join(root, 'data_bags'), File.join(state, 'data_bags')]
environment_path [File.join(root, 'environments'), File.join(state, 'environments')]
repo_mode 'static' # nodes and clients are no files of the repository
"""


_DEFAULT_ENVIRONMENT = {"name": "_default", "description": "The default Chef environment"}
"""What every server has of its own; as a file `knife diff` has nothing to say about it."""


def write_config(state: Path, server: ChefServer) -> Path:
    """Write ``chef/config.rb`` below the state directory; returns its path."""
    default = json.dumps(_DEFAULT_ENVIRONMENT, indent=2) + "\n"
    write_private(state / "environments" / "_default.json", default)
    path = state / "chef" / NAME
    write_private(path, render(state, server))
    return path


def render(state: Path, server: ChefServer) -> str:
    """The text of ``config.rb``; a key below the state directory moves with it."""
    key = server.key.absolute()
    if key.is_relative_to(state.absolute()):
        shown = f"File.join(state, {_quoted(str(key.relative_to(state.absolute())))})"
    else:
        shown = _quoted(str(key))
    return _TEMPLATE.format(url=_quoted(server.url), user=_quoted(server.user), key=shown)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
