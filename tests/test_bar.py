"""While a call waits, a person at a terminal sees how far it is; what is piped holds nothing of that."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from barrack_mcp.cli.process import ExitCode
from barrack_mcp.cli.tools.bar import Bar
from barrack_mcp.cli.tools.call import call_once
from barrack_mcp.config import Settings

pytestmark = pytest.mark.anyio


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    """What a bar is drawn on, and what was drawn."""
    drawn = io.StringIO()
    return Console(file=drawn, force_terminal=terminal, width=100, color_system=None), drawn


async def hear(bar: Bar, *told: tuple[float, float | None, str]) -> None:
    """Tell a bar how a call goes on."""
    for progress, total, words in told:
        await bar(progress, total, words)


async def test_a_bar_shows_how_far_a_wait_is_and_what_the_thing_is_doing_and_is_gone_at_the_end() -> None:
    shown, drawn = console(terminal=True)
    with Bar(shown) as bar:
        await hear(bar, (3, 180, "Instance «train-9» is CREATING."), (200, None, "Instance «train-9» is [BUILD]."))
        assert bar.shows
    assert "Instance «train-9» is [BUILD]." in drawn.getvalue()
    assert "━" in drawn.getvalue()
    assert drawn.getvalue().endswith("\x1b[2K")


async def test_a_narrow_terminal_has_the_bar_and_as_much_of_the_words_as_fits() -> None:
    drawn = io.StringIO()
    with Bar(Console(file=drawn, force_terminal=True, width=60, color_system=None)) as bar:
        await hear(bar, (30, 180, f"Instance «{'train-' * 20}» is CREATING."))
    line = next(line for line in re.split("[\r\n]|\x1b\\[[0-9?]*[A-Za-z]", drawn.getvalue()) if "Instance" in line)
    assert line.startswith("━━━━ ")
    assert "…" in line
    assert len(line) <= 60


async def test_what_does_not_say_how_far_it_has_to_go_is_no_wait_and_has_no_bar() -> None:
    shown, drawn = console(terminal=True)
    with Bar(shown) as bar:
        await hear(bar, (0, None, "A person is asked, and has not answered yet."))
        assert not bar.shows
    assert drawn.getvalue() == ""


async def test_nothing_is_drawn_where_nobody_sees_it() -> None:
    shown, drawn = console(terminal=False)
    with Bar(shown) as bar:
        await hear(bar, (3, 180, "Instance «train-9» is CREATING."))
    assert drawn.getvalue() == ""


async def test_a_call_from_a_shell_waits_as_any_other(tmp_path_factory: pytest.TempPathFactory) -> None:
    state = tmp_path_factory.mktemp("state") / "state.db"
    settings = Settings(simulator=True, state=str(state), audit=str(state.with_suffix(".jsonl")))
    called = await call_once(settings, "wait_for_status", {"resource": "instance", "id": "train-1"})
    assert called.exit_code is ExitCode.OK
    assert called.structured["there"] is True
