"""What is slow: what starts processes, fuzzes, sweeps a cross product, or waits for time that really goes by.

`pytest` leaves it out; `pytest -m "slow or not slow"`, or naming a file or a test, does not. Nobody has to remember it:
what fuzzes and what sweeps is seen for what it is, and a test that starts a process without saying so fails.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

from barrack_mcp.catalogue import OPERATIONS

STARTS: Final = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system")
"""What Python tells an audit hook before a process starts."""
ALL_OF_IT: Final = re.compile(r"^pytestmark = .*\bpytest\.mark\.slow\b", re.MULTILINE)
"""How a file says it of all its tests."""
STARTED: list[str] = []
"""Processes that the test now running has started."""


def mark(items: Iterable[pytest.Item]) -> None:
    """Mark as slow what is seen to be: a test of `hypothesis`, or of more combinations than there are operations."""
    items = list(items)
    many = Counter(_function(item) for item in items)
    for item in items:
        sweeps = sum(1 for _ in item.iter_markers("parametrize")) > 1 and many[_function(item)] > len(OPERATIONS)
        if sweeps or getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("slow")


def is_left_out(path: Path, chosen: str) -> bool:
    """Whether a file has nothing for a run, as all of it says that it is slow: reading it in takes long."""
    return chosen == "not slow" and path.suffix == ".py" and bool(ALL_OF_IT.search(path.read_text(encoding="utf-8")))


def watch() -> None:
    """Note each start of a process; a hook like this can't be taken away again."""
    sys.addaudithook(_note)


def _function(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]


def _note(event: str, _: object) -> None:
    if event in STARTS:
        STARTED.append(event)
