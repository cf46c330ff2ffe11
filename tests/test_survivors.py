"""The changes that no test sees: each stands in code that is there, and has a reason of its own."""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

PRODUCT = Path(__file__).parents[1] / "barrack_mcp"
SURVIVORS: list[dict[str, str]] = tomllib.loads(Path(__file__).with_name("survivors.toml").read_text("utf-8"))[
    "survivor"
]


@cache
def functions(module: str) -> dict[str, set[str]]:
    """The lines of each function of a module, by its name within it."""
    file = PRODUCT.joinpath(*module.split(".")).with_suffix(".py")
    file = file if file.exists() else file.with_suffix("") / "__init__.py"
    if not file.exists():
        return {}
    text = file.read_text("utf-8")
    lines = [line.strip() for line in text.splitlines()]
    found: dict[str, set[str]] = {}

    def read(body: list[ast.stmt], within: str) -> None:
        for each in body:
            if isinstance(each, ast.ClassDef):
                read(each.body, f"{within}{each.name}.")
            elif isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                found[within + each.name] = set(lines[each.lineno - 1 : each.end_lineno])

    read(ast.parse(text).body, "")
    return found


def lines_of(where: str) -> set[str]:
    names = where.split(".")
    return next(
        (
            there[name]
            for at in range(len(names) - 1, 0, -1)
            if (name := ".".join(names[at:])) in (there := functions(".".join(names[:at])))
        ),
        set(),
    )


def reading(survivor: dict[str, Any]) -> str:
    return f"{survivor['where']}: {survivor['was']}"


@pytest.mark.parametrize("survivor", SURVIVORS, ids=range(len(SURVIVORS)))
def test_each_change_that_no_test_sees_is_of_code_that_is_there_and_says_why(survivor: dict[str, str]) -> None:
    assert set(survivor["was"].splitlines()) <= lines_of(survivor["where"]), reading(survivor)
    assert survivor["was"] != survivor["became"], reading(survivor)
    assert survivor["why"].rstrip().endswith("."), reading(survivor)


def test_no_change_is_argued_twice() -> None:
    named = [(survivor["where"], survivor["was"], survivor["became"]) for survivor in SURVIVORS]
    assert len(set(named)) == len(named)
