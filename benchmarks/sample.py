"""A Chef repository of any size, the same each time: what the upload's benchmark sends."""

from __future__ import annotations

import json
import random
from pathlib import Path

FILES = 31
"""Files of a cookbook."""

ENVIRONMENTS = 3

_FOLDERS = {
    "recipes": "rb",
    "attributes": "rb",
    "resources": "rb",
    "templates/default": "erb",
    "files/default": "txt",
}


def write(root: Path, cookbooks: int) -> None:
    """Cookbooks that depend on one another, half as many roles, three environments.

    All of it in Ruby: spiceweasel, with this version of Chef, can't read environments in JSON.
    """
    dice = random.Random(cookbooks)
    names = [f"cb{number:03}" for number in range(cookbooks)]
    for number, name in enumerate(names):
        folder = root / "cookbooks" / name
        needed = f"depends '{names[number - 1]}'\n" if number else ""
        _put(folder / "metadata.rb", f"name '{name}'\nversion '1.0.{number}'\n{needed}")
        for place, suffix in _FOLDERS.items():
            for n in range(FILES // len(_FOLDERS)):
                text = f"# {name} {place} {n}\n" + "# and so on\n" * dice.randrange(300)
                _put(folder / place / f"f{n}.{suffix}", text)
    for number in range(roles(cookbooks)):
        run_list = f"run_list 'recipe[{names[number]}::f0]'\n"
        _put(root / "roles" / f"role{number}.rb", f"name 'role{number}'\n{run_list}")
    for number in range(ENVIRONMENTS):
        _put(root / "environments" / f"env{number}.rb", f"name 'env{number}'\n")


def write_settings(root: Path, url: str, user: str, key: Path) -> None:
    """How stackcook (and spiceweasel), and knife, find the server."""
    names = sorted(path.name for path in (root / "cookbooks").iterdir())
    manifest = {
        "cookbooks": [{name: None} for name in names],
        "environments": [{"*": None}],
        "roles": [{"*": None}],
        "stackcook": {
            "machines": "ssh",
            "passwords": {},
            "chef_server": {"url": url, "user": user, "key": str(key)},
        },
    }
    _put(root / "infrastructure.yml", json.dumps(manifest, indent=1))
    _put(
        root / ".chef" / "config.rb",
        f"chef_server_url '{url}'\nnode_name '{user}'\nclient_key '{key}'\n"
        "chef_repo_path File.expand_path('..', __dir__)\n"
        "cookbook_path File.expand_path('../cookbooks', __dir__)\n",
    )


def changed(root: Path) -> Path:
    """The file that is changed between two uploads: one in the middle of all."""
    cookbooks = sorted((root / "cookbooks").iterdir())
    return cookbooks[len(cookbooks) // 2] / "recipes" / "f3.rb"


def roles(cookbooks: int) -> int:
    """How many roles there are with so many cookbooks."""
    return cookbooks // 2


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
