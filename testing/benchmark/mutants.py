"""Small faults put into source code, one at a time: what a test that checks something must see.

A mutant is a module's source with one place changed. Changed are comparisons, arithmetic, numbers,
texts (not those of messages, annotations and docstrings), truth values and conditions, what is
returned, and statements, which are left out. Every place that can change is listed in the order of
the source, so that a number names the same mutant as long as the source stays.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

#: What stands for an operator in turn: its neighbour first, then what is furthest from it.
_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
#: Names of loggers' and warnings' functions: their texts are for people, and no test holds them.
_SAYS = frozenset({"debug", "info", "warning", "error", "exception", "warn"})

Change = Callable[[ast.AST], ast.AST | None]


@dataclass(frozen=True)
class Place:
    """One place of a module that can change, and how.

    Attributes
    ----------
    kind
        ``comparison``, ``arithmetic``, ``constant``, ``boolean``, ``return`` or ``statement``.
    line
        Where, counted from 1.
    node, way
        Which node of the tree, in the order of the walk, and which of its changes.
    """

    kind: str
    line: int
    node: int
    way: int


@dataclass(frozen=True)
class Mutant:
    """A module with one place changed.

    Attributes
    ----------
    place
        What was changed.
    before, after
        The smallest piece of source around the change, on one line each.
    source
        The whole module, changed.
    """

    place: Place
    before: str
    after: str
    source: str


def places(source: str) -> list[Place]:
    """List every place of a module's source that can change, in the order of the source."""
    return [
        Place(kind, getattr(node, "lineno", 0), number, way)
        for number, (node, _) in enumerate(_walk_all(ast.parse(source)))
        for way, (kind, _) in enumerate(_changes(node))
    ]


def mutant(source: str, place: Place) -> Mutant:
    """Change one place of a module's source."""
    tree = ast.parse(source)
    node, parent = _walk_all(tree)[place.node]
    # of an expression, what it stands in says more than itself
    shown = parent if isinstance(node, ast.expr) else node
    before = _shown(shown)
    new = list(_changes(node))[place.way][1](node)
    _put(parent, node, new)
    after = _shown(shown if isinstance(node, ast.expr) else new)
    return Mutant(place, before, after, ast.unparse(ast.fix_missing_locations(tree)))


def around(source: str, line: int) -> tuple[range, range | None]:
    """Return the lines of the statement around a line, and of the function; None where no one is.

    Of a statement with a body, only the line itself counts.
    """
    statement, function = range(line, line + 1), None
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.stmt) or not node.lineno <= line <= (node.end_lineno or 0):
            continue
        lines = range(node.lineno, (node.end_lineno or 0) + 1)
        if isinstance(node, ast.FunctionDef):
            function = lines  # the walk goes inwards: the last one is the innermost
        elif not hasattr(node, "body"):
            statement = lines
    return statement, function


def _walk_all(tree: ast.Module) -> list[tuple[ast.AST, ast.AST]]:
    """List what may change with what it stands in, in one order for equal trees."""
    return list(_walk(tree, tree))


def _walk(node: ast.AST, parent: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    yield node, parent
    for name, value in ast.iter_fields(node):
        # what people read, and what only a type checker reads
        if name in ("annotation", "returns", "decorator_list") or isinstance(node, ast.Raise):
            continue
        children = value if isinstance(value, list) else [value]
        for child in children:
            if isinstance(child, ast.AST) and not _for_people(child):
                yield from _walk(child, node)


def _for_people(node: ast.AST) -> bool:
    """Tell whether a node is a docstring, a message or ``__all__``."""
    if isinstance(node, ast.JoinedStr):
        return True
    if isinstance(node, ast.Assign):
        return any(isinstance(name, ast.Name) and name.id == "__all__" for name in node.targets)
    if not isinstance(node, ast.Expr):
        return False
    value = node.value
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        return value.func.attr in _SAYS
    return isinstance(value, ast.Constant)


def _changes(node: ast.AST) -> Iterator[tuple[str, Change]]:
    """Yield what can be made of one node."""
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            for other in _COMPARISONS[type(operator)]:
                yield "comparison", _compare(index, other)
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _ARITHMETIC:
        yield "arithmetic", _set("op", _ARITHMETIC[type(node.op)]())
        if isinstance(node, ast.AugAssign):
            yield "statement", lambda _: None
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not | ast.Invert):
        kind = "arithmetic" if isinstance(node.op, ast.USub) else "boolean"
        yield kind, lambda place: place.operand  # type: ignore[attr-defined]
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.BoolOp):
        yield "boolean", _set("op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.If | ast.IfExp):
        alone = isinstance(node.test, ast.Compare) and len(node.test.ops) == 1
        if not alone and not isinstance(node.test, ast.UnaryOp):  # those change by themselves
            yield "boolean", _negate
    elif isinstance(node, ast.Return) and node.value is not None:
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield "return", _set("value", ast.Constant(None))
    else:
        yield from _left_out(node)


def _constants(node: ast.Constant) -> Iterator[tuple[str, Change]]:
    value = node.value
    if isinstance(value, bool):
        yield "constant", _set("value", not value)
    elif isinstance(value, int):
        yield "constant", _set("value", value + 1)
    elif isinstance(value, float):
        yield "constant", _set("value", value * 2 if value else 1.0)
    elif isinstance(value, str):
        yield "constant", _set("value", f"{value}~")


def _left_out(node: ast.AST) -> Iterator[tuple[str, Change]]:
    """Statements whose loss is not an error of a name that is missing."""
    if isinstance(node, ast.Continue):
        yield "statement", lambda _: ast.Break()
    elif isinstance(node, ast.Break):
        yield "statement", lambda _: ast.Continue()
    elif isinstance(node, ast.Raise | ast.Expr) or (
        isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name | ast.Tuple)
    ):
        yield "statement", lambda _: None


def _compare(index: int, operator: type[ast.cmpop]) -> Change:
    def change(place: ast.AST) -> ast.AST:
        assert isinstance(place, ast.Compare)
        place.ops[index] = operator()
        return place

    return change


def _set(name: str, value: object) -> Change:
    def change(place: ast.AST) -> ast.AST:
        setattr(place, name, value)
        return place

    return change


def _negate(place: ast.AST) -> ast.AST:
    assert isinstance(place, ast.If | ast.IfExp)
    place.test = ast.UnaryOp(ast.Not(), place.test)
    return place


def _put(parent: ast.AST, old: ast.AST, new: ast.AST | None) -> None:
    """Put a node in the place of another one; a statement that is lost leaves ``pass``."""
    if new is old:
        return
    for name, value in ast.iter_fields(parent):
        if value is old:
            setattr(parent, name, new)
        elif isinstance(value, list):
            for index, child in enumerate(value):
                if child is old:
                    value[index] = new if new is not None else ast.Pass()


def _shown(node: ast.AST | None, most: int = 100) -> str:
    """Write a node on one line: of what has a body, the head."""
    if node is None:
        return "pass"
    text = ast.unparse(ast.fix_missing_locations(node))
    if isinstance(node, ast.stmt):
        text = text.partition("\n")[0] if hasattr(node, "body") else text
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"
