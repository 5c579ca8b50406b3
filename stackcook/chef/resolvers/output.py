"""Finds the cause of a failure in the output of berks and librarian-chef."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from stackcook.chef.loader.findings import place
from stackcook.errors import Position

_NAMED = re.compile(r"""^\s*cookbook[\s(]+(['"])(?P<name>[^'"]+)\1""")
_FETCHING = re.compile(r"^Fetching '(?P<name>[^']+)' from ")
_QUOTED = re.compile(r"[`'\"(](?P<name>[\w.-]+?)(?:-\d[\d.]*)?(?: \([^)]*\))?['\"`)]")
_FRAME = re.compile(r"^\s+(?:from )?\S.*:\d+:in ")
_NOISE = re.compile(
    r"^(?:Resolving cookbook|Fetching |Using |Installing |Vendoring |\[Librarian\]|Did you mean\?"
    r"|\[\d{4}-\S+\] WARN|Error retrieving universe|  \* \[)"
)
_UNREACHABLE = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"^Error retrieving universe from source: (?P<url>\S+)\n\s*\* \[[^\]]*\] (?P<cause>.+)",
        r"Error connecting to (?P<url>\S+) - (?P<cause>.+)",
        r"(?P<cause>Timeout|Connection refused) connecting to (?P<url>\S+), giving up",
        r"Failed to open TCP connection to (?P<url>\S+) \((?P<cause>[^)]+)",
        r"unable to access '(?P<url>[^']+)': (?P<cause>.+)",
        r"ssh: (?P<cause>Could not resolve hostname|connect to host) (?P<url>[^\s:]+)",
    )
)
_LONGEST = 300
_FATAL = re.compile(r"^(?:fatal|error): (?P<what>.+)", re.MULTILINE)
_CRASH = re.compile(r"^/\S+\.rb:\d+:in ['`][^']*': (?P<what>.+)", re.MULTILINE)
_NO_SITE = re.compile(r"undefined method ['`]manifests' for (?:\[\]|an instance of Array)")
_MEANT = re.compile(r"^Did you mean\?\s+(?P<name>\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Cause:
    """What is wrong, at which line of the file, and the remedy."""

    what: str
    at: Position | None = None
    remedy: str = "correct it"


def explain(file: Path, output: str) -> Cause:
    """The cause of a failure, from the program's whole output about ``file``."""
    return _ruby(file, output) or _network(output) or _message(file, output)


def _ruby(file: Path, output: str) -> Cause | None:
    """An error of Ruby or of the file's DSL."""
    name = re.escape(file.name)
    # Ruby's own message; or berks's, and then the frames that BERKSHELF_DEBUG makes it print.
    own = re.search(rf"/{name}:(?P<line>\d+):(?:in ['`][^']*':)? (?P<what>.+)", output)
    read = re.search(rf"An error occurred while reading the {name}:\s+(?P<what>.+)", output)
    frame = re.search(rf"^\s*\S*/{name}:(?P<line>\d+):in", output, re.MULTILINE)
    found, line = (own, own) if own else (read, frame)
    if not found:
        return None
    meant = _MEANT.search(output)
    remedy = f'did you mean "{meant["name"]}"?' if meant else "correct it"
    return Cause(_short(found["what"]), Position(int(line["line"]), 1) if line else None, remedy)


def _network(output: str) -> Cause | None:
    """A host that could not be reached."""
    for pattern in _UNREACHABLE:
        if found := pattern.search(output):
            cause = _short(found["cause"].split(" - ")[0])
            return Cause(f"cannot reach {found['url']} ({cause})", None, "check the network")
    return None


def _message(file: Path, output: str) -> Cause:
    """The message of git or Ruby, or else the output without progress, warnings and frames."""
    if _NO_SITE.search(output):
        return Cause("a cookbook has neither path nor git", None, "add the `site` that has it")
    if "does not define any API sources" in output:
        what = "there is no `source`, which berks needs even if all cookbooks have a path or git"
        return Cause(what, None, "add `source 'https://supermarket.chef.io'` at the top")
    lines = [line for line in output.splitlines() if not _FRAME.match(line)]
    rest = " ".join(line.strip() for line in lines if line.strip() and not _NOISE.match(line))
    message = _FATAL.search(output) or _CRASH.search(output)
    what = _short(message["what"] if message else rest)
    if not what:
        return Cause("its cookbooks cannot be resolved, and no message says why", None, "try again")
    return Cause(what, _line(file, output, what))


def _line(file: Path, output: str, what: str) -> Position | None:
    """The line of ``file`` with the cookbook, or else the location, that ``what`` names."""
    named: dict[str, Position] = {}
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
        if match := _NAMED.match(line):
            named.setdefault(match["name"], Position(number, match.start("name") + 1))
    progress = [line for line in output.splitlines() if line.startswith("Fetching ")]
    # An error while a cookbook is fetched belongs to it, whatever else the message names.
    if progress and (fetching := _FETCHING.match(progress[-1])):
        return named.get(fetching["name"])
    words = re.findall(r"(?<![\w./-])[\w-]+(?![\w/-])", what)
    names = [*(found["name"] for found in _QUOTED.finditer(what)), *words]
    quoted = re.findall(r"'([^']+)'", what)
    found = next((named[name] for name in names if name in named), None)
    return found or next(filter(None, (place(file, text) for text in quoted)), None)


def _short(text: str) -> str:
    """On one line, shortened, without what Ruby adds to a name."""
    folded = " ".join(re.sub(r" for #<.*>| \(\w+Error\)", "", text).split()).rstrip(".")
    return folded if len(folded) <= _LONGEST else f"{folded[:_LONGEST]}…"
