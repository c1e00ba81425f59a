"""Normalises a Python syntax tree: what remains without the writer's free choices.

Dropped: comments, docstrings and other bare constants, `pass`, type annotations, the prefix of u"".
Renamed, scope by scope and in order of first appearance: functions, classes, arguments, variables and
`import ... as` names. Kept: builtins and other names the program does not bind, imported names, names
bound in the body of a class (they are its attributes), attributes and keywords of calls.

The form is a list of tokens, the preorder of the tree with brackets:

    def double(x): return x * 2      (FunctionDef ~0 (arguments ~1 ) (Return (BinOp ~1 Mult int:0x2 ) ) )

and, for exact comparison, with the name of each field before its content (".body").

Limit: keywords of calls are kept even where they name a renamed argument.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

FIELD_MARK = "."

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

_IGNORED_FIELDS = frozenset(
    {
        "ctx",
        "kind",
        "simple",
        "annotation",
        "returns",
        "type_comment",
        "type_ignores",
        "type_params",
    }
)
_BINDING_FIELD: dict[type[ast.AST], str] = {
    ast.ExceptHandler: "name",
    ast.MatchAs: "name",
    ast.MatchStar: "name",
    ast.MatchMapping: "rest",
    ast.alias: "asname",
    ast.Global: "names",
    ast.Nonlocal: "names",
}
"""Where a node holds names of variables as bare strings."""


def normal_form(module: ast.Module) -> list[str]:
    """Returns the tokens of a tree, whose depth must be bounded because it is walked recursively."""
    return _Writer(module).tokens


# Scopes --------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class _Scope:
    outer: _Scope | None = None
    is_class: bool = False
    bound: set[str] = field(default_factory=set)
    imported: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)
    """Declared global or nonlocal."""
    module_level: set[str] = field(default_factory=set)
    """Declared global."""

    @property
    def module(self) -> _Scope:
        return self if self.outer is None else self.outer.module

    def home(self, name: str) -> _Scope | None:
        """Returns the scope that a name used here belongs to; None if the program does not bind it."""
        scope: _Scope | None = self.module if name in self.module_level else self
        while scope is not None:
            visible = scope is self or not scope.is_class
            if visible and name in scope.bound and name not in scope.elsewhere:
                return scope
            scope = scope.outer
        return None

    def bind_all(self, nodes: Iterable[ast.AST]) -> None:
        """Binds what these nodes bind, without the scopes nested in them."""
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            match node:
                case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                    self.bound.add(name)
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    self.bound.add(node.name)
                case ast.Lambda():
                    pass
                case ast.comprehension():  # its target is its own, but a := in it is ours
                    waiting += [node.iter, *node.ifs]
                case ast.alias(name=name, asname=None):
                    self.bound.add(name.partition(".")[0])
                    self.imported.add(name.partition(".")[0])
                case ast.Global(names=names):
                    self.elsewhere.update(names)
                    self.module_level.update(names)
                case ast.Nonlocal(names=names):
                    self.elsewhere.update(names)
                case _:
                    written = getattr(node, _BINDING_FIELD.get(type(node), ""), None)
                    if written is not None:
                        self.bound.add(written)
                    waiting += ast.iter_child_nodes(node)


# Tokens --------------------------------------------------------------------------------------


class _Writer:
    def __init__(self, module: ast.Module) -> None:
        self.tokens: list[str] = []
        self._new_names: dict[tuple[_Scope, str], str] = {}
        scope = _Scope()
        scope.bind_all(module.body)
        self._node(module, scope)

    def _node(self, node: ast.AST, scope: _Scope) -> None:
        match node:
            case ast.Name(id=name) | ast.arg(arg=name):
                self._name(name, scope)
            case ast.Constant():
                self.tokens.append(_constant(node.value))
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self._function(node, scope)
            case ast.ClassDef():
                self._class(node, scope)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._comprehension(node, scope)
            case ast.AnnAssign(value=ast.expr()) if not scope.is_class:
                at = self._open(ast.Assign)
                self._field("targets", node.target, scope)
                self._field("value", node.value, scope)
                self._close(at)
            case _:
                at = self._open(type(node))
                for name in node._fields:
                    if name not in _IGNORED_FIELDS:
                        binds = name == _BINDING_FIELD.get(type(node))
                        self._field(name, getattr(node, name, None), scope, binds=binds)
                self._close(at)

    def _function(self, node: _Function, scope: _Scope) -> None:
        arguments = node.args
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        inner = _Scope(outer=scope)
        inner.bound.update(
            child.arg for child in ast.iter_child_nodes(arguments) if isinstance(child, ast.arg)
        )
        inner.bind_all(body)

        at = self._open(type(node))
        if not isinstance(node, ast.Lambda):
            self._field("name", node.name, scope, binds=True)
            self._field("decorator_list", node.decorator_list, scope)
        start = self._open(ast.arguments)
        for name in arguments._fields:
            evaluated_outside = name in ("defaults", "kw_defaults")
            self._field(name, getattr(arguments, name), scope if evaluated_outside else inner)
        self._close(start)
        self._field("body", body, inner)
        self._close(at)

    def _class(self, node: ast.ClassDef, scope: _Scope) -> None:
        inner = _Scope(outer=scope, is_class=True)
        inner.bind_all(node.body)
        at = self._open(ast.ClassDef)
        self._field("name", node.name, scope, binds=True)
        for name in ("decorator_list", "bases", "keywords"):
            self._field(name, getattr(node, name), scope)
        self._field("body", node.body, inner)
        self._close(at)

    def _comprehension(self, node: _Comprehension, scope: _Scope) -> None:
        inner = _Scope(outer=scope)
        inner.bind_all(generator.target for generator in node.generators)
        at = self._open(type(node))
        for name in node._fields[:-1]:
            self._field(name, getattr(node, name), inner)
        for number, generator in enumerate(node.generators):
            start = self._open(ast.comprehension)
            self._field("target", generator.target, inner)
            self._field("iter", generator.iter, inner if number else scope)
            self._field("ifs", generator.ifs, inner)
            self._field("is_async", generator.is_async or None, inner)
            self._close(start)
        self._close(at)

    def _field(self, name: str, value: object, scope: _Scope, *, binds: bool = False) -> None:
        items = value if isinstance(value, list) else [] if value is None else [value]
        items = [item for item in items if not _says_nothing(item, scope)]
        if items:
            self.tokens.append(FIELD_MARK + name)
        for item in items:
            if isinstance(item, ast.AST):
                self._node(item, scope)
            elif isinstance(item, str) and binds:
                self._name(item, scope)
            else:
                self.tokens.append(f"'{item}")

    def _name(self, name: str, scope: _Scope) -> None:
        home = scope.home(name)
        if home is None or home.is_class or name in home.imported:
            self.tokens.append(f"'{name}")
        else:
            new_name = f"~{len(self._new_names)}"
            self.tokens.append(self._new_names.setdefault((home, name), new_name))

    def _open(self, kind: type[ast.AST]) -> int:
        self.tokens.append("(" + kind.__name__)
        return len(self.tokens)

    def _close(self, at: int) -> None:
        if len(self.tokens) == at:  # a node without content is one token
            self.tokens[-1] = self.tokens[-1][1:]
        else:
            self.tokens.append(")")


def _says_nothing(item: object, scope: _Scope) -> bool:
    match item:
        case ast.Expr(value=ast.Constant()) | ast.Pass():
            return True
        case ast.AnnAssign(value=None):
            return not scope.is_class  # in a dataclass it is a field
        case _:
            return False


def _constant(value: object) -> str:
    # Hexadecimal, since Python refuses to write a long integer in decimal.
    spelled = hex(value) if type(value) is int else repr(value)
    return f"{type(value).__name__}:{spelled}"
