"""Pairs in the place of a cross product, where every row goes through code that it shares with all the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import pytest

from barrack_mcp.catalogue import Operation


class Row(Protocol):
    """What is sent by a method: an operation, or a route of the simulator."""

    @property
    def method(self) -> str: ...


def pairs(
    rows: Sequence[Row],
    columns: Iterable[Any],
    ids: Callable[[Any], str] = str,
    marks: Callable[[Any], Any] = lambda _: (),
) -> list[Any]:
    """Every row with the first column, and every other column with one row of each method.

    Args:
        rows: Operations or routes.
        columns: What befalls them.
        ids: From a row, and from a column, to its part of the test's name.
        marks: From a column to the marks of its tests.
    """
    first, *others = columns
    one_of_each = {row.method: row for row in reversed(rows)}.values()
    chosen = [(row, first) for row in rows] + [(row, column) for column in others for row in one_of_each]
    return [pytest.param(row, column, id=f"{ids(row)}-{ids(column)}", marks=marks(column)) for row, column in chosen]


def in_turn(operations: Sequence[Operation], columns: Sequence[Any]) -> list[Any]:
    """Every operation with one column, which take turns: each column befalls its share of all operations."""
    chosen = [(operation, columns[at % len(columns)]) for at, operation in enumerate(operations)]
    return [pytest.param(operation, column, id=f"{operation.tool}-{column}") for operation, column in chosen]
