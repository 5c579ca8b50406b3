"""What an expression of stackcook's source can be as a text, found without running it.

A variable has the texts of the assignments that may reach its use; a call has those that the
function returns. What is only known at run time is shown as `…`.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

DOTS = "…"
MOST = 40
"""How many texts one expression may have; of more, only the dots are shown."""

DEEPEST = 8
"""How many names and calls are followed, one behind the other."""

POLL = "self._poll"
"""What returns the result of its first argument, a function."""

EDITS = ("strip", "rstrip", "lower", "removesuffix")
"""Methods of texts that keep their words."""

Function = ast.FunctionDef | ast.Lambda
Environment = Mapping[str, tuple[str, ...]]
"""Parameter → the texts that a caller passes."""


@dataclass(frozen=True)
class Scope:
    """Where an expression stands: its module, class and functions, the innermost first."""

    module: Module
    owner: ast.ClassDef | None = None
    functions: tuple[Function, ...] = ()


@dataclass
class Module:
    """A source file; ``names`` are its functions, classes and constants, and what it imports."""

    name: str
    tree: ast.Module

    @cached_property
    def names(self) -> dict[str, ast.AST | tuple[str, str]]:
        found: dict[str, ast.AST | tuple[str, str]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stackcook"):
                found |= {a.asname or a.name: (str(node.module), a.name) for a in node.names}
        for node in self.tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                found[node.name] = node
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found[node.targets[0].id] = node.value
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                if node.value:
                    found[node.target.id] = node.value
        return found


BINDINGS = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr, ast.For, ast.comprehension)
LEAVES = (ast.Return, ast.Raise)
LOOPS = (ast.For, ast.While)
BLOCKS = ("body", "orelse", "handlers", "finalbody")
Place = tuple[tuple[ast.AST, str, int], ...]
"""The way to a node from the top: parent, field and index of each step."""


class Flow:
    """Which assignments of a variable may reach its use."""

    def __init__(self, trees: Iterable[ast.Module]) -> None:
        self._places: dict[int, Place] = {}
        self._bindings: dict[tuple[int, str], list[ast.AST]] = defaultdict(list)
        for tree in trees:
            self._walk(tree, (), ())

    def _walk(self, node: ast.AST, place: Place, inside: tuple[int, ...]) -> None:
        self._places[id(node)] = place
        if isinstance(node, BINDINGS):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}:
                for function in inside:
                    self._bindings[function, name].append(node)
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            inside = (id(node),)  # a name of an outer function is looked for there
        for name, value in ast.iter_fields(node):
            for number, child in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(child, ast.AST):
                    self._walk(child, (*place, (node, name, number)), inside)

    def put(self, node: ast.AST, where: ast.AST) -> None:
        """Treat a new node as if it stood at the place of another one."""
        self._places[id(node)] = self._places[id(where)]

    def reaching(self, use: ast.Name, function: Function) -> tuple[list[ast.AST], bool]:
        """The assignments of a function that may reach the use, and whether one always does."""
        there = self._places[id(use)]
        found: list[ast.AST] = []
        certain = False
        for binding in self._bindings[id(function), use.id]:
            how = self._reaches(self._places[id(binding)], there, binding)
            if how is True:
                found, certain = [], True
            if how is not None:
                found.append(binding)
        return found, certain

    def _reaches(self, place: Place, there: Place, binding: ast.AST) -> bool | None:
        """True: on every way to the use; False: on some; None: on none."""
        shared = 0
        while shared < min(len(place), len(there)) and place[shared] == there[shared]:
            shared += 1
        rest, after = place[shared:], there[shared:]
        if not rest or not after:  # the use stands in the statement that binds it, such as a loop
            return True if isinstance(binding, (ast.For, ast.comprehension)) else None
        (parent, name, number), (_, other, later) = rest[0], after[0]
        if name != other:
            if isinstance(parent, (ast.If, ast.IfExp)) and name != "test":
                return None  # the other branch
            return name in ("test", "generators", "iter", "value")
        if number >= later:
            return None
        blocks = [step for step in rest[1:] if step[1] in BLOCKS]
        looped = isinstance(parent, LOOPS)
        for parent, name, _ in blocks:
            last = getattr(parent, name)[-1]
            if isinstance(last, LEAVES) or isinstance(last, (ast.Continue, ast.Break)) > looped:
                return None
            looped = looped or isinstance(parent, LOOPS)
        return not blocks


class Source:
    """The package's modules, and what their expressions can be as texts."""

    def __init__(self, package: Path) -> None:
        self.modules = {}
        for path in sorted(package.rglob("*.py")):
            parts = path.relative_to(package.parent).with_suffix("").parts
            name = ".".join(part for part in parts if part != "__init__")
            self.modules[name] = Module(name, ast.parse(path.read_text()))
        self.calls = [*self._calls()]
        self._callers: dict[str, list[tuple[ast.Call, Scope]]] = defaultdict(list)
        for call, scope in self.calls:
            if isinstance(call, ast.Call) and isinstance(call.func, (ast.Name, ast.Attribute)):
                name = call.func.id if isinstance(call.func, ast.Name) else call.func.attr
                self._callers[name].append((call, scope))
        self.flow = Flow(module.tree for module in self.modules.values())

    def _calls(self) -> Iterator[tuple[ast.Call | ast.Yield, Scope]]:
        def walk(node: ast.AST, scope: Scope) -> Iterator[tuple[ast.Call | ast.Yield, Scope]]:
            if isinstance(node, (ast.Call, ast.Yield)):
                yield node, scope
            if isinstance(node, ast.ClassDef):
                scope = Scope(scope.module, node, scope.functions)
            elif isinstance(node, (ast.FunctionDef, ast.Lambda)):
                scope = Scope(scope.module, scope.owner, (node, *scope.functions))
            for child in ast.iter_child_nodes(node):
                yield from walk(child, scope)

        for module in self.modules.values():
            yield from walk(module.tree, Scope(module))

    def classes(self) -> Iterator[tuple[Module, ast.ClassDef]]:
        for module in self.modules.values():
            for node in ast.walk(module.tree):
                if isinstance(node, ast.ClassDef):
                    yield module, node

    def named(self, name: str, module: Module) -> tuple[ast.AST, Module] | None:
        """What a name of a module stands for, and the module where it is defined."""
        found = module.names.get(name)
        if isinstance(found, tuple):
            there = self.modules.get(found[0])
            return self.named(found[1], there) if there else None
        return (found, module) if found is not None else None

    def texts(
        self, node: ast.AST | None, scope: Scope, env: Environment, depth: int = 0
    ) -> tuple[str, ...]:
        """All texts that the expression may be; just the dots if that is unknown."""
        found = tuple(dict.fromkeys(self._texts(node, scope, env, depth)))
        return found if found and len(found) <= MOST else (DOTS,)

    def _texts(
        self, node: ast.AST | None, scope: Scope, env: Environment, depth: int
    ) -> Iterable[str]:
        if depth > DEEPEST:
            return [DOTS]
        if isinstance(node, ast.Constant):
            return [node.value if isinstance(node.value, str) else DOTS]
        if isinstance(node, ast.JoinedStr):
            return self._joined(node.values, scope, env, depth)
        if isinstance(node, ast.FormattedValue):
            return self.texts(node.value, scope, env, depth + 1)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._joined((node.left, node.right), scope, env, depth)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            return [re.sub(r"%[sdr]", DOTS, t) for t in self.texts(node.left, scope, env, depth)]
        if isinstance(node, ast.IfExp):
            both = (node.body, node.orelse)
            return [t for each in both for t in self.texts(each, scope, env, depth + 1)]
        if isinstance(node, ast.BoolOp):
            values = node.values if isinstance(node.op, ast.Or) else node.values[-1:]
            every = [t for each in values for t in self.texts(each, scope, env, depth + 1)]
            return every if isinstance(node.op, ast.Or) else ["", *every]
        if isinstance(node, ast.NamedExpr):
            return self.texts(node.value, scope, env, depth)
        if isinstance(node, ast.Name):
            return self._of_name(node, scope, env, depth)
        if isinstance(node, ast.Call):
            return self._of_call(node, scope, env, depth)
        if isinstance(node, ast.Subscript):
            return self._of_subscript(node, scope, env, depth)
        return [DOTS]

    def _of_subscript(
        self, node: ast.Subscript, scope: Scope, env: Environment, depth: int
    ) -> Iterable[str]:
        """A part of a text, or a value of a table."""
        if isinstance(node.slice, ast.Slice):
            return self.texts(node.value, scope, env, depth + 1)
        table = node.value
        if isinstance(table, ast.Name):
            found = self.named(table.id, scope.module)
            table, scope = (found[0], Scope(found[1])) if found else (table, scope)
        values = table.values if isinstance(table, ast.Dict) else []
        return [t for value in values for t in self.texts(value, scope, env, depth + 1)]

    def _joined(
        self, parts: Iterable[ast.AST], scope: Scope, env: Environment, depth: int
    ) -> Iterable[str]:
        every = [self.texts(part, scope, env, depth + 1) for part in parts]
        return map("".join, itertools.islice(itertools.product(*every), MOST + 1))

    def _of_name(self, use: ast.Name, scope: Scope, env: Environment, depth: int) -> Iterable[str]:
        for number, function in enumerate(scope.functions):
            here = Scope(scope.module, scope.owner, scope.functions[number:])
            known = any(argument.arg == use.id for argument in arguments_of(function))
            reaching, certain = self.flow.reaching(use, function)
            found = [t for each in reaching for t in self._bound(use.id, each, here, env, depth)]
            if known and not certain:
                found += env.get(use.id, (DOTS,)) if number == 0 else (DOTS,)
            if found:
                return found
        there = self.named(use.id, scope.module)
        if there and isinstance(there[0], ast.expr):
            return self.texts(there[0], Scope(there[1]), {}, depth + 1)
        return [DOTS]

    def _bound(
        self, name: str, node: ast.AST, scope: Scope, env: Environment, depth: int
    ) -> Iterable[str]:
        """The texts that an assignment or a loop gives to a variable."""
        if isinstance(node, ast.AugAssign):
            before = ast.Name(name)
            self.flow.put(before, node)
            return self._joined((before, node.value), scope, env, depth)
        if isinstance(node, (ast.For, ast.comprehension)):
            listed: ast.AST = node.iter
            if isinstance(listed, ast.Name):
                reaching, _ = self.flow.reaching(listed, scope.functions[0])
                listed = getattr(reaching[-1], "value", listed) if reaching else listed
            if isinstance(listed, (ast.GeneratorExp, ast.ListComp)):
                items = [listed.elt]
            else:
                items = listed.elts if isinstance(listed, (ast.Tuple, ast.List)) else [None]
            pairs = [(node.target, item) for item in items]
        elif isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        else:
            assert isinstance(node, (ast.AnnAssign, ast.NamedExpr))
            pairs = [(node.target, node.value)]
        values = [value for pair in pairs for value in _values(name, *pair)]
        return [t for value in values for t in self.texts(value, scope, env, depth + 1)]

    def _of_call(self, call: ast.Call, scope: Scope, env: Environment, depth: int) -> Iterable[str]:
        if isinstance(call.func, ast.Attribute) and call.func.attr == "format":
            every = self.texts(call.func.value, scope, env, depth + 1)
            return [re.sub(r"\{\w*\}", DOTS, text) for text in every]
        if isinstance(call.func, ast.Attribute) and call.func.attr in EDITS:
            return self.texts(call.func.value, scope, env, depth + 1)
        if ast.unparse(call.func) == POLL:
            return self._result(call.args[0], scope, depth + 1)
        found = self._function(call.func, scope)
        if found is None:
            called = self.from_callers(call.func, scope)
            return [t for each, at in called for t in self._result(each, at, depth + 1)] or [DOTS]
        function, module = found
        passed = self.passed(call, parameters_of(function), scope, env, depth)
        return self._returned(function, module, scope, passed, depth)

    def from_callers(self, use: ast.expr, scope: Scope) -> Iterator[tuple[ast.expr, Scope]]:
        """What the callers of the function pass for the parameter that is used."""
        for function in scope.functions:
            if isinstance(use, ast.Name) and isinstance(function, ast.FunctionDef):
                for caller, there in self._callers[function.name]:
                    if function.name.startswith("_") and there.module is not scope.module:
                        continue
                    given = dict(zip(parameters_of(function), caller.args))
                    given |= {str(keyword.arg): keyword.value for keyword in caller.keywords}
                    if use.id in given:
                        yield given[use.id], there

    def _result(self, called: ast.AST, scope: Scope, depth: int) -> Iterable[str]:
        """What a lambda or a function returns."""
        if isinstance(called, ast.Lambda):
            inside = Scope(scope.module, scope.owner, (called, *scope.functions))
            return self.texts(called.body, inside, {}, depth)
        inner = [n for f in scope.functions for n in ast.walk(f) if isinstance(n, ast.FunctionDef)]
        if isinstance(called, ast.Name):
            for function in inner:
                if function.name == called.id:
                    return self._returned(function, scope.module, scope, {}, depth)
        found = self._function(called, scope)
        return self._returned(found[0], found[1], scope, {}, depth) if found else []

    def _returned(
        self, function: ast.FunctionDef, module: Module, scope: Scope, env: Environment, depth: int
    ) -> Iterable[str]:
        there = Scope(module, scope.owner if module is scope.module else None, (function,))
        values = [n.value for n in ast.walk(function) if isinstance(n, ast.Return)]
        return [t for value in values for t in self.texts(value, there, env, depth + 1)]

    def _function(self, func: ast.expr, scope: Scope) -> tuple[ast.FunctionDef, Module] | None:
        """The function that is called, and its module: `name`, `module.name` or `self.name`."""
        found: tuple[ast.AST, Module] | None = None
        if isinstance(func, ast.Name):
            found = self.named(func.id, scope.module)
        elif isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
            imported = scope.module.names.get(func.value.id)
            if func.value.id == "self" and scope.owner:
                methods = [n for n in scope.owner.body if getattr(n, "name", "") == func.attr]
                found = (methods[0], scope.module) if methods else None
            elif isinstance(imported, tuple) and ".".join(imported) in self.modules:
                found = self.named(func.attr, self.modules[".".join(imported)])
        if found and isinstance(found[0], ast.FunctionDef):
            return found[0], found[1]
        return None

    def passed(
        self,
        call: ast.Call,
        parameters: tuple[str, ...],
        scope: Scope,
        env: Environment,
        depth: int,
    ) -> dict[str, tuple[str, ...]]:
        """What a call passes as texts, by parameter."""
        given = {**dict(zip(parameters, call.args)), **{k.arg: k.value for k in call.keywords}}
        return {str(k): self.texts(v, scope, env, depth + 1) for k, v in given.items()}


def _values(name: str, target: ast.AST, value: ast.AST | None) -> Iterator[ast.AST | None]:
    """What ``target = value`` gives to the variable; None if that is unknown."""
    if isinstance(target, ast.Name) and target.id == name:
        yield value
    elif isinstance(target, ast.Tuple):
        known = isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts)
        values = value.elts if known else [None] * len(target.elts)
        for pair in zip(target.elts, values):
            yield from _values(name, *pair)


def arguments_of(function: Function) -> list[ast.arg]:
    arguments = function.args
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def parameters_of(function: ast.FunctionDef) -> tuple[str, ...]:
    names = [argument.arg for argument in function.args.args]
    return tuple(names[1:] if names[:1] in (["self"], ["cls"]) else names)


def defaults_of(function: ast.FunctionDef) -> dict[str, ast.expr]:
    arguments = function.args
    named = [argument.arg for argument in arguments.args[::-1]]
    found = dict(zip(named, arguments.defaults[::-1]))
    keywords = zip(arguments.kwonlyargs, arguments.kw_defaults)
    return {**found, **{a.arg: d for a, d in keywords if d is not None}}
