"""How much one request may ask for: how deep, and how many values in all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    value_from_ast_untyped,
)
from strawberry.extensions import SchemaExtension

# Entries of lists that are asked for without `first`.
_USUAL = {"machines": 50, "repairs": 50, "downtimes": 50, "users": 50, "lines": 20, "roles": 50}
_NESTED_USUAL = {"machines": 20, "repairs": 10}
_SCHEMA_COST = 20  # of a field of introspection, which may answer every type there is
_MOST = 500  # what `first` may be at most: the cost of a number that is not known


class TooMuch(GraphQLError):
    """The request asks for too much; `extensions.code` query.too_deep or query.too_costly."""


class _Counter:
    """Counts one operation. A field costs 1 for each time it may be answered."""

    def __init__(self, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._given = variables
        self._variables: Mapping[str, Any] = variables
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }

    def operation(self, node: OperationDefinitionNode) -> tuple[int, int]:
        """(values, depth) of one operation; what it says of its variables counts."""
        usual = {
            definition.variable.name.value: value_from_ast_untyped(definition.default_value)
            for definition in node.variable_definitions or ()
            if definition.default_value is not None
        }
        self._variables = {**usual, **self._given}
        return self.cost(node.selection_set, 1, 0)

    def cost(self, selection: SelectionSetNode | None, times: int, depth: int) -> tuple[int, int]:
        """(values, depth) of a selection that is answered so many times."""
        total, deepest = 0, depth
        for field in self._fields(selection, set()):
            if field.name.value.startswith("__"):
                total += self._of_the_schema(field)
                continue
            entries = times * self._entries(field, depth)
            inner, below = self.cost(field.selection_set, entries, depth + 1)
            total += times + inner
            deepest = max(deepest, below)
        return total, deepest

    def _of_the_schema(self, field: FieldNode) -> int:
        """What a question about the schema costs: so much for each field that is written. How
        deep it may go, validation says."""
        fields = self._fields(field.selection_set, set())
        return _SCHEMA_COST + sum(self._of_the_schema(inner) for inner in fields)

    def _entries(self, field: FieldNode, depth: int) -> int:
        """How many objects the field may answer each time."""
        for argument in field.arguments or ():
            if argument.name.value == "first":
                return max(1, self._number(argument.value))
        usual = _USUAL.get(field.name.value, 1)
        return usual if depth == 0 else _NESTED_USUAL.get(field.name.value, 1)

    def _number(self, node: object) -> int:
        if isinstance(node, IntValueNode):
            return int(node.value)
        if isinstance(node, VariableNode):
            value = self._variables.get(node.name.value)
            return value if isinstance(value, int) else _MOST
        return 1

    def _fields(self, selection: SelectionSetNode | None, seen: set[str]) -> Iterator[FieldNode]:
        for node in selection.selections if selection else ():
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                yield from self._fields(node.selection_set, seen)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                fragment = self._fragments.get(node.name.value)
                if fragment is not None:
                    yield from self._fields(fragment.selection_set, seen | {node.name.value})


def check(
    document: DocumentNode, variables: Mapping[str, Any], max_depth: int, max_cost: int
) -> None:
    """Errors: TooMuch, when an operation of the document asks for too much."""
    counter = _Counter(document, variables)
    for node in document.definitions:
        if not isinstance(node, OperationDefinitionNode):
            continue
        cost, depth = counter.operation(node)
        if depth > max_depth:
            facts = {"code": "query.too_deep", "actual": depth, "max": max_depth}
            raise TooMuch("The query is nested too deeply.", extensions=facts)
        if cost > max_cost:
            facts = {"code": "query.too_costly", "actual": cost, "max": max_cost}
            raise TooMuch("The query asks for too much at once.", extensions=facts)


def limiter(max_depth: int, max_cost: int) -> type[SchemaExtension]:
    """An extension that refuses before anything is resolved. Fragments that spread themselves
    are refused by validation, which runs first."""

    class Limiter(SchemaExtension):
        def on_execute(self) -> Iterator[None]:
            context = self.execution_context
            if context.graphql_document is not None:
                check(context.graphql_document, context.variables or {}, max_depth, max_cost)
            yield None

    return Limiter
