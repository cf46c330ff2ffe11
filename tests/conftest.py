"""What every test shares, and what none of them may leave behind: a key in anything that was written."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final

import hypothesis
import pytest
from pydantic import SecretStr

from barrack_mcp.api.redact import Redaction
from tests.support import certificates, checking, slow, ticking, unhurried
from tests.support.answers import CANARY
from tests.support.running import KEY, STATES

KNOWN = Redaction(SecretStr(CANARY), SecretStr(KEY))
"""The keys of all houses in the tests."""
SPILLING = (
    "test_redact.py",
    "test_resources.py::test_an_error_of_our_own_has_an_id_and_none_of_its_text",
    "test_secrets.py",
    "test_server.py::test_an_error_of_our_own_has_an_id_and_none_of_its_text",
)
"""Tests that put a key into a log themselves, to see that the product's own log has none of it."""
GIVEN = ("key", "api-key")
"""Names of the files in which a test gives the product its key."""
SPILLED: list[str] = []
"""What the processes of a run found in the states that they kept."""
KEY_LEFT: Final = 9
"""What a run ends with that left a key there: no test's failure, so nothing that running tests again could clear."""
MOST = 1_000_000
"""Bytes of a file that are looked at; what is larger is a test's own."""


# no verdict hangs on how fast the machine is; each test bounds its examples by number
hypothesis.settings.register_profile("tests", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("tests")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", unhurried.OPTIONS


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: what makes them may put the time of day in, and then no two runs have one id."""
    return argname if isinstance(val, bytes) else None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let what plans say be written down anew, for a change of their words to be read before it is kept."""
    parser.addoption("--remake-letters", action="store_true", help="write down anew what plans say")


def pytest_configure(config: pytest.Config) -> None:
    """Run the whole of what is named, slow or not: who names a file or a test wants to know."""
    slow.watch()
    checking.once_for_each_schema()
    certificates.once_for_all_clients()
    ticking.often()
    chosen = any(word.startswith("-m") for word in config.invocation_params.args)
    named = config.args_source is config.ArgsSource.ARGS and not hasattr(config, "workerinput")
    if named and not chosen:
        config.option.markexpr = ""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return slow.is_left_out(collection_path, config.option.markexpr) or None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow.mark(items)


def pytest_runtest_logstart() -> None:
    """Forget what the run itself has started: measuring coverage asks `uname`."""
    slow.STARTED.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that starts a process and isn't marked `slow`, and one that leaves a key where it can be read.

    That is: in what was printed or logged, down to DEBUG, or in a file of its own.
    """
    report = yield
    if slow.STARTED and report.passed and not item.get_closest_marker("slow"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: starts a process, so it needs `pytest.mark.slow`"
    slow.STARTED.clear()
    if call.when != "call" or not report.passed or item.nodeid.removeprefix("tests/").startswith(SPILLING):
        return report
    if found := [*_said(report), *_kept(item)]:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: a key stands in {', '.join(found)}; see the promise S1"
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if a process of the product left a key in its state, its record or its log."""
    found = list(_files(Path(STATES.name)))
    if hasattr(session.config, "workeroutput"):
        # one of several processes: the one that started it tells
        session.config.workeroutput["spilled"] = found
        return
    if found := [*found, *SPILLED]:
        session.exitstatus = KEY_LEFT
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(f"a key stands in {', '.join(found)}; see the promise S1", red=True)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a process of the run has found at its end."""
    SPILLED.extend(getattr(node, "workeroutput", {}).get("spilled", []))


def _said(report: pytest.TestReport) -> Iterator[str]:
    for name, text in (("stdout", report.capstdout), ("stderr", report.capstderr), ("the log", report.caplog)):
        if KNOWN.hidden(text) != text:
            yield name


def _kept(item: pytest.Item) -> Iterator[str]:
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if isinstance(folder, Path):
        yield from _files(folder)


def _files(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in GIVEN and not path.is_symlink() and path.stat().st_size <= MOST:
            text = path.read_bytes().decode(errors="replace")
            if KNOWN.hidden(text) != text:
                yield path.name
