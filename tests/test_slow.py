"""What `pytest` leaves out, and that the same tests have the same names in whatever process they are collected."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.patience import PATIENT_S
from tests.support.running import environment

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[1]
PYTEST = [sys.executable, "-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider"]

TESTS = """
import subprocess, sys
import pytest
from hypothesis import given, strategies as st

def test_plain(): pass

@pytest.mark.parametrize("a", range(9))
@pytest.mark.parametrize("b", range(9))
def test_sweeps(a, b): pass

@pytest.mark.parametrize("a", range(200))
def test_has_many_rows(a): pass

@given(st.integers())
def test_fuzzes(number): pass

@pytest.mark.slow
def test_says_that_it_starts_a_process():
    subprocess.run([sys.executable, "-c", ""], check=True)

def test_starts_a_process():
    subprocess.run([sys.executable, "-c", ""], check=True)
"""


def run(*words: str, **settings: str) -> str:
    done = subprocess.run(
        [*PYTEST, *words],
        cwd=CHECKOUT,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=PATIENT_S,
        check=False,
    )
    return done.stdout


def test_what_fuzzes_and_sweeps_is_left_out_and_what_starts_a_process_has_to_say_so(tmp_path: Path) -> None:
    written = tmp_path / "test_written.py"
    written.write_text(TESTS, encoding="utf-8")
    ours = ["-p", "tests.conftest", "-c", str(CHECKOUT / "pyproject.toml"), "--rootdir", str(tmp_path), str(written)]
    chosen = run(*ours, "-m", "not slow")
    assert "test_starts_a_process: starts a process, so it needs `pytest.mark.slow`" in chosen
    assert "1 failed, 201 passed, 83 deselected" in chosen
    # who names a file gets the whole of it
    assert "1 failed, 284 passed" in run(*ours)


def test_every_process_collects_the_same_tests_under_the_same_names(request: pytest.FixtureRequest) -> None:
    """Held against what this process collected, of which a run may have left some out."""
    # what is only collected needs no asserts that tell what they saw; to write those takes longest
    other = run("--collect-only", "--assert=plain", "-m", "slow or not slow", PYTHONHASHSEED="1").splitlines()
    mine = [item.nodeid for item in request.session.items]
    assert mine
    assert set(mine) <= set(other)
