"""Every promise has a test, and every test that names one names a promise there is."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.promises import PROMISES

TESTS = Path(__file__).parent


def named() -> set[str]:
    return {
        str(argument.value)
        for path in TESTS.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for mark in node.decorator_list
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.promise"
        for argument in mark.args
        if isinstance(argument, ast.Constant)
    }


def test_promises_and_tests_name_each_other() -> None:
    assert named() == {promise.id for promise in PROMISES}


def test_each_promise_stands_once() -> None:
    assert len({promise.id for promise in PROMISES}) == len(PROMISES)
