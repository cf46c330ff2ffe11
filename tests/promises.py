"""What barrack-mcp promises: one row a promise. Tests name theirs with `@pytest.mark.promise`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Promise:
    """A stimulus and what must hold under it."""

    id: str
    stimulus: str
    promise: str


PROMISES = (
    Promise("G11", "read-only; every tool by name", "only reads are listed and run; nothing but reads reaches the API"),
    Promise("P4", "the manifests made anew; the list twice, and after many calls", "byte-identical"),
)
