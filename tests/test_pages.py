"""Each command on the pages that people read is typed, a page's in order, into one shell; what it shows is compared."""

from __future__ import annotations

import dataclasses
import logging
import sys
from pathlib import Path

import anyio
import httpx2
import pytest

from barrack_mcp.simulator.app import create_app
from tests.support.pages import CHECKOUT, PAGES, TYPED, Block
from tests.support.running import environment, listening
from tests.support.shell import agrees, type_in

TOLD = "http://127.0.0.1:8900"
"""Where the pages say that the simulator is."""


def runs(page: str) -> list[Block]:
    """A page's blocks that a test types."""
    return [block for block in TYPED if block.page == page and block.not_run is None and block.command is None]


def test_what_is_not_typed_says_why() -> None:
    assert all(len(block.not_run) > 15 for block in TYPED if block.not_run is not None)
    assert sum(len(runs(page)) for page in PAGES) > sum(block.not_run is not None for block in TYPED)


def test_no_command_has_a_remark_that_some_shells_would_take_for_arguments() -> None:
    assert [step.line for block in TYPED for step in block.steps if "#" in step.line] == []


def test_no_page_leaves_a_setting_behind_in_the_shell() -> None:
    lines = [step.line for block in TYPED for step in block.steps if step.line.startswith("export ")]
    assert set(lines) == {
        f"export BARRACK_API_URL={TOLD}/api BARRACK_API_KEY=sim-key",
        # who may call is all that the rest of this page is about
        "export BARRACK_HTTP_TOKENS_FILE=~/callers.toml",
    }


@pytest.mark.promise("P14")
@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.skipif(sys.platform == "win32", reason="the pages are typed into a POSIX shell")
async def test_each_page_can_be_pasted_in_order_into_one_shell(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with (
        listening(create_app(scenario="small", seed=1, speed=1.0)) as address,
        httpx2.AsyncClient(base_url=address) as simulator,
    ):
        wrong: list[str] = []
        for page in PAGES:
            if blocks := runs(page):
                (await simulator.post("/_sim/reset", json={"scenario": "small", "seed": 1})).raise_for_status()
                wrong += await _typed(page, blocks, address, tmp_path / Path(page).stem)
    assert not wrong, "\n\n".join(wrong)


async def _typed(page: str, blocks: list[Block], address: str, place: Path) -> list[str]:
    """Type a page's blocks into a shell of a person who has nothing yet; answer what is not as the page says."""
    home, checkout = place / "home", place / "checkout"
    home.mkdir(parents=True)
    checkout.mkdir()
    (checkout / "manifests").symlink_to(CHECKOUT / "manifests")
    env = environment(HOME=str(home))
    for name in ("BARRACK_STATE", "COLUMNS", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        env.pop(name, None)
    steps = [
        dataclasses.replace(step, line=step.line.replace(TOLD, address)) for block in blocks for step in block.steps
    ]
    came = await anyio.to_thread.run_sync(type_in, steps, env, checkout)
    wrong = [
        f"{page}: $ {each.step.line}\nended with {each.code}:\n{each.shown}"
        for each in came
        if each.code != 0
        or (each.step.shown is not None and not agrees(each.step.shown, each.shown.replace(address, TOLD)))
    ]
    if len(came) != len(steps):
        wrong.append(f"{page}: the shell ended before $ {steps[len(came)].line}")
    return wrong


def test_what_is_shown_is_compared_word_for_word_wherever_its_lines_are_broken() -> None:
    assert agrees("It costs … an hour.\n…\n5", "It costs 2.25 USD\nan hour. All\nof it.\n5\n")
    assert not agrees("It costs … an hour.", "It costs 2.25 USD an hour. All of it.")
    assert not agrees("It costs 2.25 USD.", "It costs 2x25 USD.")
