"""The other side of a contract: reads what the product sends, and writes answers as the API would.

So a simulator that speaks as shipped can be spoken to as a contract says, and a contract be rehearsed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote, unquote

from barrack_mcp.api.wire.bounds import PLACEHOLDER
from barrack_mcp.api.wire.form import Contract, Wire, WireError
from barrack_mcp.api.wire.overrides import WHOLE_BODY
from barrack_mcp.api.wire.renaming import MISSING, Names, dig, heard, of_kind, outward, put, spelled
from barrack_mcp.api.wire.shape import JsonValue
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject
from barrack_mcp.catalogue.schema import value_schema

_ENVELOPE: Final = frozenset({"success", "message", "request_id"})
_REQUIRED: Final = ["This field is required."]


class Rehearsal:
    """Translates calls and answers, one by one.

    Args:
        contract: How the product speaks.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._shipped = Contract()
        wires = [contract.for_(operation) for operation in OPERATIONS]
        # a fixed segment wins over a placeholder
        self._ways = [(_pattern(wire), wire) for wire in sorted(wires, key=lambda wire: wire.path.count("{"))]

    def read(
        self, method: str, path: str, query: Sequence[tuple[str, str]], body: JsonObject | None
    ) -> tuple[str, str, dict[str, str], JsonObject | None, JsonObject]:
        """Bring a call into the spelling that we ship: method, path, query, body, and mistakes by the API's names.

        Raises:
            LookupError: Nothing is at this path, or nothing with this method; with the methods that are.
        """
        fitting = [(hit, wire) for pattern, wire in self._ways if (hit := pattern.fullmatch(path))]
        found = next(((hit, wire) for hit, wire in fitting if wire.method == method), None)
        if found is None:
            raise LookupError(*{wire.method for _, wire in fitting})
        hit, wire = found
        given = {"query": _folded(query), "body": body or {}}
        values = heard(given["query" if wire.in_query else "body"], wire.reversed()[0])
        values |= {name: unquote(value) for name, value in hit.groupdict().items() if name not in wire.constants}
        known = wire.operation.arguments.model_fields
        try:
            sent = self._shipped.for_(wire.operation).request({name: values[name] for name in values if name in known})
        except WireError as error:
            return wire.operation.method, wire.operation.path, {}, None, {"detail": str(error)}
        texts = {name: _text(value) for name, value in (sent.query or {}).items()}
        typed = sent.body and {name: _typed(wire, name, value) for name, value in sent.body.items()}
        return sent.method, sent.path, texts, typed if wire.in_query else sent.body, self._missing(wire, given)

    def _missing(self, wire: Wire, given: Mapping[str, JsonObject]) -> JsonObject:
        """What the API wants beyond what we know, and did not get."""
        override = self._contract.overrides.operations.get(wire.operation.tool)
        wanted = dict.fromkeys(wire.constants, ("query" if wire.in_query else "body", True))
        for name, asked in wire.extras.items():
            wanted[asked.theirs] = (asked.place, override is not None and override.arguments[name].required)
        in_path = set(PLACEHOLDER.findall(wire.path))
        return {
            name: _REQUIRED
            for name, (place, needed) in wanted.items()
            if needed and name not in in_path and place in given and dig(given[place], _way(name)) is MISSING
        }

    def write(self, tool: str, told: JsonObject) -> JsonValue:
        """Bring an answer into the API's spelling."""
        wire = self._contract.for_(BY_TOOL[tool])
        theirs = outward(told, wire.reversed()[1])
        root = wire.operation.result
        if root is not None and wire.result == WHOLE_BODY:
            return theirs.get(root)
        if root is None and wire.result not in (None, WHOLE_BODY):
            top = {name: inner for name, inner in theirs.items() if name in _ENVELOPE}
            put(top, str(wire.result), {name: inner for name, inner in theirs.items() if name not in _ENVELOPE})
            return top
        return theirs

    def refuse(self, tool: str, errors: JsonObject) -> JsonObject:
        """Bring the mistakes of single fields under the API's names."""
        if "success" in errors or "detail" in errors:
            return errors
        named: JsonObject = outward(errors, _names_alone(self._contract.for_(BY_TOOL[tool]).reversed()[0]))
        return named


def _pattern(wire: Wire) -> re.Pattern[str]:
    """What a path of this operation looks like; what a constant fills in stands there as it is."""
    parts = PLACEHOLDER.split(wire.path)
    made = [
        re.escape(part)
        if at % 2 == 0
        else re.escape(quote(str(wire.constants[part]), safe=""))
        if part in wire.constants
        else f"(?P<{part}>[^/]+)"
        for at, part in enumerate(parts)
    ]
    return re.compile("".join(made))


def _way(name: str) -> tuple[str, ...]:
    return tuple(name.split("."))


def _folded(query: Sequence[tuple[str, str]]) -> JsonObject:
    """A query as an object; what is there more than once is a list."""
    said: dict[str, list[str]] = {}
    for name, value in query:
        said.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in said.items()}


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else spelled(value)


def _typed(wire: Wire, name: str, value: JsonValue) -> JsonValue:
    """What came as the text of a query, as the type that our argument has."""
    kind = value_schema(wire.operation.arguments.model_fields[name])["type"]
    if kind == "array":
        return value if isinstance(value, list) else [value]
    if kind == "boolean":
        return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
    return of_kind(value, "integer") if kind == "integer" else value


def _names_alone(names: Names) -> Names:
    return Names(names.moves, {name: _names_alone(below) for name, below in names.below.items()})
