"""Writes messages.md, the page with every error, into DIRECTORY: python3 setup/messages [DIRECTORY]

A message is what the source passes as ``what`` to an error, a finding or a check, directly or by
way of a function that passes it on; ``remedy`` says what to do about it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stackcook.bootstrap.findings import KINDS
from stackcook.errors import ExitCode
from stackcook.report.markdown import code, plain, table
from texts import DOTS, Function, Scope, Source, arguments_of, defaults_of, parameters_of

ROOT = Path(__file__).parents[2]
FINDING, PREFLIGHT, COOKBOOKS, CAUSE = "finding", "preflight", "cookbooks", "cause"
Group = ExitCode | str
ROOT_ERROR = "StackcookError"
"""The base of all errors, which itself has a remedy."""

CAUSES = ("ValueError", "EOFError", "tarfile.TarError")
"""Exceptions of Python's that become a part of a message."""

RAISED = r"^[^#\n]*\b(?:raise (?:[\w:]+, )?|openstack_wait_until\(|complaint = )((?:\"|').*)"
"""What the cookbooks say in an exception."""

REMEDY = ast.Name("remedy")
DIFFERS = "differs from case to case: the message ends with it"
"""The remedy of a message that has one which is only known at run time."""

HEAD = """\
# Error messages

<!-- Written by `make docs` from the source. -->
Every error that stackcook prints, and what it says to do about it. `…` stands for a part that
differs: a name, a number or a cause. Search this page for the words around it. Messages often begin
with a file, a node or a URL, which is not repeated here. Where the second column has nothing, the
message itself says what is right, such as that two options cannot be combined, or names a cause to
look into, or there is nothing to do.

If this does not help: `stackcook report` describes the last run, `stackcook logs NODE --failed`
shows what happened on a node, and [Troubleshooting](../troubleshooting.md) says where to look next.
"""

GROUPS: dict[Group, tuple[str, str]] = {
    ExitCode.USAGE: (
        "The command cannot run",
        "Exit code 2. Wrong options have other messages of the same kind, which name the option.",
    ),
    FINDING: (
        "The manifest and the Chef repository",
        "Exit code 3 for errors. Warnings do not stop a command, unless `check --strict` is used.",
    ),
    PREFLIGHT: (
        "Preflight",
        "Exit code 4 for errors. [How a deploy works](../deploy.md#preflight) lists the kinds of"
        " findings with their IDs.",
    ),
    ExitCode.NODES: ("Nodes", "Exit code 4, or 8 within the failure budget."),
    ExitCode.VERIFY: (
        "Verification",
        "Exit code 5. The message begins with the check that failed. If it does not say what to do,"
        " it ends with a command that shows more: the log of the service that failed, or"
        " `stackcook verify`.",
    ),
    ExitCode.CHEF_SERVER: ("The Chef server", "Exit code 6."),
    ExitCode.MACHINES: ("Machines and the lab's network", "Exit code 7."),
    ExitCode.INTERRUPTED: ("Interruption", "Exit code 130."),
    ExitCode.BUG: ("Bugs of stackcook", "Exit code 1."),
    COOKBOOKS: (
        "The cookbooks",
        "Exit code 4. Chef quotes these messages of the OpenStack cookbooks when a converge fails.",
    ),
    CAUSE: ("Causes", "These are parts of other messages, which say what to do."),
}


@dataclass(frozen=True)
class Sink:
    """What makes a message of its arguments: a class, or a function that passes them on.

    ``remedy`` is an expression over its parameters, in ``scope``.
    """

    group: Group
    parameters: tuple[str, ...]
    what: str
    remedy: ast.expr | None
    module: str
    scope: Scope | None = None
    owner: str = ""
    defaults: Mapping[str, ast.expr] = field(default_factory=dict)


@dataclass(frozen=True)
class Message:
    """A text with dots for what varies, and what to do about it, in several forms."""

    group: Group
    what: str
    remedies: tuple[str, ...]


class Collector:
    """Finds the messages: calls of sinks, and of functions that pass their parameters to a sink."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.sinks: dict[str, list[Sink]] = defaultdict(list)
        self._classes()
        self._wrappers()

    def _classes(self) -> None:
        """Errors and records with a remedy are sinks."""
        groups: dict[str, Group] = {ROOT_ERROR: ExitCode.BUG}
        known = [*self.source.classes()]
        for _ in known:  # until every base class is known
            for _, node in known:
                base = next((groups[b] for b in map(ast.unparse, node.bases) if b in groups), None)
                if base is not None:
                    own = [n for n in node.body if isinstance(n, ast.Assign)]
                    codes = [ast.unparse(n.value) for n in own if "exit_code" in ast.unparse(n)]
                    groups[node.name] = ExitCode[codes[0].split(".")[-1]] if codes else base
        for module, node in known:
            own_init = [n for n in node.body if getattr(n, "name", "") == "__init__"]
            fields = [n.target.id for n in node.body if isinstance(n, ast.AnnAssign)]
            parameters = parameters_of(own_init[0]) if own_init else tuple(fields) or ("what",)
            what = next((name for name in ("what", "cause") if name in parameters), "")
            group = groups.get(node.name)
            if group is None and "Exception" in map(ast.unparse, node.bases):
                group = FINDING if "remedy" in parameters else CAUSE
            elif group is None and {*map(ast.unparse, node.bases)} & {"ValueError", *CAUSES}:
                group = CAUSE
            elif group is None and "remedy" in fields:
                group = {"Check": ExitCode.VERIFY, "NodeFinding": PREFLIGHT}.get(node.name, FINDING)
            if what and group is not None:
                sink = Sink(group, parameters, what, REMEDY, module.name)
                self.sinks[node.name].append(sink)
        for name in ("click.UsageError", "click.BadParameter", "click.ClickException"):
            self.sinks[name].append(Sink(ExitCode.USAGE, ("what",), "what", None, ""))
        self.groups = groups

    def _wrappers(self) -> None:
        """Functions that pass a parameter on to a sink as the message are sinks, too."""
        seen: set[tuple[int, str]] = set()
        changed = True
        while changed:
            changed = False
            for call, scope in self.source.calls:
                function = scope.functions[0] if scope.functions else None
                if not isinstance(call, ast.Call) or not isinstance(function, ast.FunctionDef):
                    continue
                for sink, given in self.uses(call, scope):
                    what = given.get(sink.what)
                    key = (id(function), ast.unparse(what) if what else "")
                    names = [argument.arg for argument in arguments_of(function)]
                    if not isinstance(what, ast.Name) or what.id not in names or key in seen:
                        continue
                    if self.source.flow.reaching(what, function)[0]:
                        continue
                    seen.add(key)
                    changed = True
                    owner = scope.owner.name if scope.owner else ""
                    name = owner if function.name == "__init__" else function.name
                    if function.name == "__init__":
                        self.sinks[name] = [s for s in self.sinks[name] if s.scope]
                    remedy = given.get("remedy")
                    self.sinks[name].append(
                        Sink(
                            sink.group,
                            parameters_of(function),
                            what.id,
                            remedy,
                            scope.module.name,
                            scope,
                            owner if function.name != "__init__" else "",
                            defaults_of(function),
                        )
                    )

    def uses(self, call: ast.Call, scope: Scope) -> Iterator[tuple[Sink, dict[str, ast.expr]]]:
        """The sinks that a call may mean, with the call's arguments by the sinks' parameters."""
        func, arguments = call.func, call.args
        if ast.unparse(func) == "partial" and arguments:
            func, arguments = arguments[0], arguments[1:]
        if isinstance(func, ast.Name) and scope.functions:
            func = self._alias(func.id, scope.functions[-1]) or func
        for sink in self._meant(func, scope):
            given = dict(zip(sink.parameters, arguments))
            given |= {str(keyword.arg): keyword.value for keyword in call.keywords}
            needed = {sink.what, *({*sink.parameters} - {*sink.defaults} if sink.scope else ())}
            if needed <= {*given} and len(arguments) <= len(sink.parameters):
                yield sink, given

    def _meant(self, func: ast.expr, scope: Scope) -> list[Sink]:
        """The sinks that are called by this name here."""
        here, owner = scope.module.name, scope.owner.name if scope.owner else ""
        if isinstance(func, ast.IfExp):  # (Transient if passing else NodeError)(…)
            func = func.body
        if isinstance(func, ast.Name):
            there = self.source.named(func.id, scope.module)
            home = there[1].name if there else here
            return [sink for sink in self.sinks[func.id] if sink.module == home]
        if not isinstance(func, ast.Attribute) or ast.unparse(func.value) == "_log":
            return []
        if ast.unparse(func) == "super().__init__":
            passes = "what" in parameters_of(scope.functions[0])
            known = owner in self.groups and owner != ROOT_ERROR and passes
            return [Sink(self.groups[owner], ("what",), "what", REMEDY, "")] if known else []
        found = self.sinks[ast.unparse(func)] or self.sinks[func.attr]
        if func.attr.startswith("_"):
            found = [sink for sink in found if sink.module == here]
        if ast.unparse(func.value) == "self" and any(sink.owner == owner for sink in found):
            return [sink for sink in found if sink.owner == owner]
        return [sink for sink in found if sink.owner or not sink.scope]

    def _alias(self, name: str, function: Function) -> ast.Attribute | None:
        """The method that a variable of the function stands for: `error = reader.error`."""
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
                return node.value if isinstance(node.value, ast.Attribute) else None
        return None

    def messages(self) -> Iterator[Message]:
        for call, scope in self.source.calls:
            if isinstance(call, ast.Yield):
                yield from self._yielded(call, scope)
                continue
            for sink, given in self.uses(call, scope):
                whats = self.source.texts(given[sink.what], scope, {})
                if sink.scope is None and sink.remedy is None:  # click's errors: one text
                    yield from _split(sink.group, whats)
                else:
                    yield from _messages(sink.group, whats, self._remedies(sink, given, scope))
            if ast.unparse(call.func) in CAUSES and call.args:
                yield from _messages(CAUSE, self.source.texts(call.args[0], scope, {}), ())

    def _yielded(self, node: ast.Yield, scope: Scope) -> Iterator[Message]:
        """`yield "disk", "…"`: a finding of preflight with its ID."""
        value = node.value
        if isinstance(value, ast.Tuple) and len(value.elts) == 2:
            id_ = value.elts[0]
            if isinstance(id_, ast.Constant) and id_.value in KINDS:
                whats = self.source.texts(value.elts[1], scope, {})
                yield from _messages(PREFLIGHT, whats, (KINDS[id_.value].remedy,))

    def _remedies(self, sink: Sink, given: Mapping[str, ast.expr], scope: Scope) -> tuple[str, ...]:
        env = {name: self.source.texts(value, scope, {}) for name, value in given.items()}
        if sink.scope is None:
            found = env.get("remedy", ())
            if found == (DOTS,):
                passed = self.source.from_callers(given["remedy"], scope)
                found += tuple(t for each, at in passed for t in self.source.texts(each, at, {}))
            kind = given.get("id")
            if sink.group == PREFLIGHT and not any(found) and isinstance(kind, ast.Constant):
                found = (KINDS[kind.value].remedy,)
            return found
        there = Scope(sink.scope.module)
        env |= {
            name: self.source.texts(value, there, {})
            for name, value in sink.defaults.items()
            if name not in env
        }
        return self.source.texts(sink.remedy, sink.scope, env) if sink.remedy else ()


def of_cookbooks(directory: Path) -> Iterator[Message]:
    """What the Ruby code of the cookbooks raises: the text, and after a semicolon the remedy."""
    for path in sorted(directory.glob("*/[lr]*/*.rb")):
        joined = re.sub(r"[\"'] \\\n *[\"']", "", path.read_text())
        for text in re.findall(RAISED, joined, re.MULTILINE):
            quoted = re.match(r"\"((?:#\{(?:[^{}]|\{[^{}]*\})*\}|[^\"\\])*)\"|'([^']*)'", text)
            if quoted:
                what = re.sub(r"#\{(?:[^{}]|\{[^{}]*\})*\}", DOTS, quoted[1] or quoted[2])
                yield from _split(COOKBOOKS, [what])


def _split(group: Group, texts: Iterable[str]) -> Iterator[Message]:
    """The messages of texts with the remedy after a semicolon."""
    for text in texts:
        what, _, remedy = text.partition("; ")
        yield from _messages(group, [what], [remedy])


def _messages(group: Group, whats: Iterable[str], remedies: Iterable[str]) -> Iterator[Message]:
    given = tuple(remedies)
    shown = _distinct(given) or (DIFFERS,) * (DOTS in given)
    return (Message(group, what, shown) for what in _distinct(whats))


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    """The texts that have words of their own, without those that another one includes."""
    tidy = (re.sub(f"{DOTS}(?: ?{DOTS})+", DOTS, " ".join(text.split())) for text in texts)
    found = {text for text in tidy if re.search(r"[^\W\d_]{2}", text)}

    def includes(one: str, other: str) -> bool:
        form = re.escape(one).replace(DOTS, ".*")
        return one != other and re.fullmatch(form, other) is not None

    return tuple(sorted(t for t in found if not any(includes(one, t) for one in found)))


def page(messages: Iterable[Message]) -> str:
    """The page in Markdown, with a table for each group."""
    merged: dict[Group, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for each in messages:
        merged[each.group][each.what] |= {*each.remedies}
    parts = [HEAD]
    for group, (heading, about) in GROUPS.items():
        header = ("message", "what to do")[: 1 if group == CAUSE else 2]
        rows = (
            (code(what), "<br>".join(map(plain, _known(remedies))))[: len(header)]
            for what, remedies in sorted(merged[group].items(), key=lambda item: _words(item[0]))
        )
        parts.append(f"## {heading}\n\n{about}\n\n{table(header, rows)}")
    return "\n".join(parts)


def _known(remedies: set[str]) -> tuple[str, ...]:
    """The remedies of a message, without the note that there are others."""
    return _distinct(remedies - {DIFFERS}) or tuple(remedies)


def _words(text: str) -> tuple[str, str]:
    """By what a text is sorted: its words."""
    return " ".join(re.findall(r"\w+", text)).casefold(), text


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    collector = Collector(Source(ROOT / "stackcook"))
    found = [*collector.messages(), *of_cookbooks(ROOT / "cookbooks")]
    (directory / "messages.md").write_text(page(found))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        raise SystemExit("usage: python3 setup/messages [DIRECTORY]")
    main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "docs/reference")
