#!/usr/bin/env python3
"""How long ``stackcook check`` takes: a quarter, a half and the whole of a big Chef repository.

The whole is 10,000 nodes in a /16, 500 roles (half JSON, half Ruby) and 200 cookbooks of five files
that depend on each other. Each size is checked as a process of its own, with nothing in the cache
and with all that a first run leaves there. Prints the best of three: seconds, the most memory at
once (Ruby's or our own, whichever is more), and how seconds grow: twice the size, 2.0 is linear.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

NODES, ROLES, COOKBOOKS, ENVIRONMENTS = 10_000, 500, 200, 5
SIZES = (0.25, 0.5, 1.0)
RUNS = 3


@dataclass(frozen=True, order=True)
class Measured:
    """One run: seconds on the clock, MiB at most."""

    seconds: float
    memory: float


def main() -> None:
    """Measure each size and print a line for it."""
    print("size   nodes roles cookbooks   cold s  MiB   warm s  MiB   growth cold warm")
    before: tuple[Measured, Measured] | None = None
    for size in SIZES:
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            nodes, roles, cookbooks = (int(n * size) for n in (NODES, ROLES, COOKBOOKS))
            write(root / "repository", nodes, roles, cookbooks)
            cold = min(check(root, f"cache{n}") for n in range(RUNS))
            warm = min(check(root, "cache0") for _ in range(RUNS))
        line = f"{size:4}   {nodes:5} {roles:5} {cookbooks:9}   "
        line += "   ".join(f"{run.seconds:6.2f} {run.memory:4.0f}" for run in (cold, warm))
        if before:
            grown = (now.seconds / then.seconds for now, then in zip((cold, warm), before))
            line += "          " + " ".join(f"{factor:4.2f}" for factor in grown)
        print(line, flush=True)
        before = cold, warm


def check(root: Path, cache: str) -> Measured:
    """Run it with that cache; what it finds goes to a file, and must be nothing."""
    program = Path(sys.executable).with_name("stackcook")
    environment = {**os.environ, "XDG_CACHE_HOME": str(root / cache)}
    manifest = root / "repository" / "infrastructure.yml"
    output = os.open(root / "output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    begun = time.perf_counter()
    process = os.posix_spawn(
        program,
        (str(program), "-f", str(manifest), "check"),
        environment,
        file_actions=[(os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)],
    )
    _, status, used = os.wait4(process, 0)
    seconds = time.perf_counter() - begun
    os.close(output)
    if status:
        said = (root / "output").read_text()[:2000]
        sys.exit(f"check ended with {os.waitstatus_to_exitcode(status)}:\n{said}")
    return Measured(seconds, used.ru_maxrss / 1024)


def write(root: Path, nodes: int, roles: int, cookbooks: int) -> None:
    """Write a repository without a fault."""
    for number in range(cookbooks):
        write_cookbook(root / "cookbooks" / f"book{number:03}", number)
    for number in range(roles):
        write_role(root / "roles", number, cookbooks)
    for number in range(ENVIRONMENTS):
        name = f"environment{number}"
        put(root / f"environments/{name}.rb", f"name '{name}'\ncookbook 'book000', '~> 1.0'\n")
    put(root / "id", "a key")
    put(root / "infrastructure.yml", "".join(manifest(nodes, roles, cookbooks)))


def write_cookbook(directory: Path, number: int) -> None:
    """One of five files, which depends on the three before it."""
    depends = "".join(
        f"depends 'book{n:03}', '~> 1.0'\n" for n in range(max(0, number - 3), number)
    )
    put(directory / "metadata.rb", f"name '{directory.name}'\nversion '1.{number}.0'\n{depends}")
    recipe = "".join(
        f"template '/etc/{directory.name}/{n}.conf' do\n  source 'a.erb'\n  variables n: {n}\nend\n"
        for n in range(20)
    )
    put(directory / "recipes/default.rb", recipe)
    put(directory / "recipes/server.rb", f"include_recipe '{directory.name}'\n{recipe}")
    put(directory / "attributes/default.rb", f"default['{directory.name}']['port'] = {number}\n")
    put(directory / "templates/a.erb", f"# {number}\n<% if @n %>\nn = <%= @n %>\n<% end %>\n" * 10)


def write_role(directory: Path, number: int, cookbooks: int) -> None:
    """A role with a recipe and the role before it; the odd ones are in Ruby."""
    name, above = f"role{number:03}", f"role[role{number - 1:03}]"
    entries = [f"recipe[book{number % cookbooks:03}::server]", *([above] if number % 10 else [])]
    if number % 2:
        words = ", ".join(f"'{entry}'" for entry in entries)
        put(directory / f"{name}.rb", f"name '{name}'\nrun_list {words}\n")
    else:
        words = ", ".join(f'"{entry}"' for entry in entries)
        put(directory / f"{name}.json", f'{{"name": "{name}", "run_list": [{words}]}}\n')


def manifest(nodes: int, roles: int, cookbooks: int) -> list[str]:
    """The lines of infrastructure.yml: every node with an entry and an address of its own."""
    lines = ["cookbooks:\n", *(f"- book{number:03}:\n" for number in range(cookbooks))]
    lines += ['roles: ["*"]\nenvironments: ["*"]\nnodes:\n']
    lines += [
        f'- node{n:05}: {{run_list: "role[role{n % roles:03}],recipe[book{n % cookbooks:03}]",'
        f" options: -E environment{n % ENVIRONMENTS}}}\n"
        for n in range(nodes)
    ]
    lines += [
        "options: -i id -x root\nstackcook:\n  machines: ssh\n  network: 10.0.0.0/16\n  nodes:\n"
    ]
    first = IPv4Address("10.0.0.10")
    return lines + [f"    node{n:05}: {{address: {first + n}}}\n" for n in range(nodes)]


def put(path: Path, text: str) -> None:
    """Write a file, and the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == "__main__":
    main()
