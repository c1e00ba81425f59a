"""Renames the identifiers of a Python program by its syntax tree, or refuses where that is not exact."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from ttrl.answers.similar.code import read_program

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_NAME_FIELDS: dict[type[ast.AST], str] = {
    ast.Name: "id",
    ast.arg: "arg",
    ast.FunctionDef: "name",
    ast.AsyncFunctionDef: "name",
    ast.ClassDef: "name",
    ast.ExceptHandler: "name",
    ast.MatchAs: "name",
    ast.MatchStar: "name",
    ast.MatchMapping: "rest",
    ast.alias: "asname",
}
"""Where a node holds a name that the program may choose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Names that a program binds."""

    functions: frozenset[str]
    variables: frozenset[str]
    """Arguments among them."""
    fixed: frozenset[str]
    """Imported ones, and those in the body of a class, which are attributes."""


def bound_names(tree: ast.AST) -> Bound:
    """Returns the names that a program binds anywhere."""
    functions: set[str] = set()
    variables: set[str] = set()
    fixed: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                functions.add(name)
            case ast.ClassDef(name=name, body=body):
                fixed.add(name)
                for statement in body:
                    fixed |= _bound_directly(statement)
            case ast.alias(name=name, asname=asname):
                fixed.add(asname or name.partition(".")[0])
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                variables.add(name)
            case _:
                pass
    return Bound(
        functions=frozenset(functions), variables=frozenset(variables), fixed=frozenset(fixed)
    )


def attributes_of(tree: ast.AST) -> set[str]:
    """Returns every name that stands after a dot."""
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def exchanged_in(source: str, names: Mapping[str, str]) -> str | None:
    """Returns a program with its identifiers exchanged, as it is written anew from its syntax tree.

    Args:
        names: new by old name, in both directions, so that two names never become one.

    Returns:
        None for what is no program (`read_program`), and where a name to be exchanged is imported, bound by
        a class, an attribute, or passed by keyword to a function that the program does not define.
    """
    if read_program(source) is None:  # the limits on size and depth are kept there
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
        renamer = _Renamer(names, bound_names(tree), attributes_of(tree))
        return ast.unparse(renamer.visit(tree)) if renamer.is_exact else None
    except (_NotExact, SyntaxError, ValueError, MemoryError, RecursionError):
        return None


class _NotExact(Exception):
    """A name cannot be exchanged without looking at what the program does."""


class _Renamer(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, str], bound: Bound, attributes: set[str]) -> None:
        self._names = names
        self._functions = bound.functions | names.keys()
        self.is_exact = names.keys().isdisjoint(bound.fixed | attributes)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        field = _NAME_FIELDS.get(type(node))
        if field is not None and (name := getattr(node, field)) is not None:
            setattr(node, field, self._names.get(name, name))
        elif isinstance(node, ast.Global | ast.Nonlocal):
            node.names = [self._names.get(name, name) for name in node.names]
        elif isinstance(node, ast.Call):
            self._keywords(node)
        return super().generic_visit(node)

    def _keywords(self, call: ast.Call) -> None:
        for passed in call.keywords:
            if passed.arg is None or passed.arg not in self._names:
                continue
            if not (isinstance(call.func, ast.Name) and call.func.id in self._functions):
                raise _NotExact
            passed.arg = self._names[passed.arg]


def _bound_directly(statement: ast.stmt) -> set[str]:
    """What a statement binds in the scope that it stands in."""
    if isinstance(statement, _Function | ast.ClassDef):
        return {statement.name}
    return {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
