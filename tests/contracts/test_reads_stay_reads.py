"""No override and no document, however sure, sends a read where a write goes, or in a way that could write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from barrack_mcp.api.wire.bounds import bounded
from barrack_mcp.api.wire.overrides import OperationOverride, Overrides
from barrack_mcp.catalogue import OPERATIONS, Operation

READS = [operation for operation in OPERATIONS if operation.reads]
WRITES = [operation for operation in OPERATIONS if not operation.reads]


def ways(write: Operation) -> Iterator[tuple[Any, str]]:
    """Where a write goes or may go, however it is spelled."""
    for method, path in ((write.method, write.path), *((each.method, each.path) for each in write.alternates)):
        bare = path.rstrip("/")
        for spelled in (path, bare, f"{bare}/", bare.upper() if "{" not in bare else bare):
            yield method, spelled
            yield "POST", spelled


@pytest.mark.slow
@pytest.mark.promise("G11")
@pytest.mark.parametrize("read", READS, ids=lambda operation: operation.tool)
def test_a_read_never_goes_where_a_write_goes(read: Operation) -> None:
    for write in WRITES:
        for method, path in ways(write):
            override = OperationOverride(method=method, path=path)
            kept, refused = bounded(Overrides(operations={read.tool: override}))
            assert read.tool in refused, (method, path)
            assert read.tool not in kept.operations


@pytest.mark.parametrize("read", READS, ids=lambda operation: operation.tool)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_read_is_asked_with_another_method_only_if_it_is_shipped_so(read: Operation, method: Any) -> None:
    _, refused = bounded(Overrides(operations={read.tool: OperationOverride(method=method)}))
    assert (read.tool in refused) == (method != read.method)
