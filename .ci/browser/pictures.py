"""Make the pictures of the page and the card: single requests, the list, spending; the folder is the argument.

Needs `CARD_HOST`, as `.ci/browser/run` makes it, Pillow, and for the letters of the pictures in the repository Debian's
fonts-noto-core and fonts-noto-mono.
"""

from __future__ import annotations

import io
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any, Final, Literal

import anyio

sys.path.insert(0, str(Path(__file__).parents[2]))

from PIL import Image
from playwright.async_api import Browser, Page, ViewportSize, expect

from barrack_mcp.config.callers import Callers
from barrack_mcp.guard.approvals import Approvals, Approvers, sign
from barrack_mcp.guard.page import About, PageServer
from barrack_mcp.guard.page.login.page import create_team_page
from barrack_mcp.state.store import SqliteStore
from barrack_mcp.transports.login.credentials import Credentials
from stage import SECRET, THEN, TTL_S, Desk, browsing, planned, serving
from team import secured, visitor
from test_card import overview, shown
from tests.support.callers import Desk as Files
from tests.support.clock import Clock

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
END: Final = 1_500
"""Pixels of the list's end: its last card, what waits in short, and what was answered."""
WINDOW: ViewportSize = {"width": 860, "height": 700}
BOUGHT: Final[dict[str, Any]] = {
    "public_ip": True,
    "security_rules": [
        {"direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22,
         "remote_ip_prefix": "203.0.113.0/24"},
    ],
}  # fmt: skip
"""What the purchase wants beside what it must."""


async def main(folder: Path) -> None:
    """Ask for all of it, wait 19 seconds, and take each picture twice."""
    deletion, purchase = await planned("delete_instance"), await planned("deploy_instance", **BOUGHT)
    attachment = await planned("attach_firewall")
    async with browsing() as browser, serving(browser) as desk:
        asked = {
            "approval": await desk.ask(deletion),
            "purchase": await desk.ask(purchase, "deploy_instance", arguments={"name": "fresh-1", **BOUGHT}),
            "attachment": await desk.ask(attachment, "attach_firewall"),
        }
        for tool in ("stop_instance", "create_volume", "delete_volume", "restore_instance", "add_firewall_rule"):
            await desk.ask(await planned(tool), tool)
        for answer in (desk.approvals.approve, desk.approvals.deny):
            gone = await desk.ask(await planned("start_instance"), "start_instance")
            await answer(gone.id, by="on the page")
        await desk.later(19)
        for scheme in SCHEMES:
            for name, request in asked.items():
                tab = await desk.open(request, color_scheme=scheme, viewport=WINDOW, device_scale_factor=1.4)
                await take(tab, folder / f"{name}-{scheme}.png")
            tab = await desk.open(color_scheme=scheme, viewport=WINDOW, device_scale_factor=1.4)
            await take(tab, folder / f"list-{scheme}.png", end=END)
        await picture_team(browser, folder)
        told = await overview(Path(tempfile.mkdtemp()))
        for scheme in SCHEMES:
            async with shown(browser, told, theme=scheme) as (_, card):
                keep(await card.locator("body").screenshot(animations="disabled"), folder / f"spending-{scheme}.png")


async def picture_team(browser: Browser, folder: Path) -> None:
    """Show grace what a bot and ada ask for, what waits for another than her, and who answered what."""
    clock, scratch = Clock(THEN - 240), Path(tempfile.mkdtemp())
    people = Files(scratch / "callers.toml")
    for name in ("ada", "grace", "linus"):
        people.let_in(name, "approver = true")
    callers = Callers(people.path)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        url = f"https://localhost:{bound.getsockname()[1]}"
        async with SqliteStore(":memory:", now=clock) as store:
            approvals = Approvals(store, ttl=TTL_S, now=clock)
            page = create_team_page(
                approvals,
                public_url=url,
                keys=["k" * 40],
                callers=callers,
                by_token=True,
                approvers=Approvers(),
                identities=Credentials(callers),
                about=About(api="barrack.ai", account="3f9c2a17", remote=True),
                now=clock,
            )
            desk = Desk(browser, approvals, PageServer(approvals, secret=SECRET), clock)
            for name, answer in (("grace", approvals.approve), ("linus", approvals.deny)):
                gone = await desk.ask(await planned("start_instance"), "start_instance", caller="ada")
                await answer(gone.id, by=sign(name))
            clock.at = THEN
            await desk.ask(await planned("stop_instance"), "stop_instance", caller="ci-bot", on_behalf_of="ada")
            await desk.ask(await planned("restore_instance"), "restore_instance", caller="grace")
            clock.at += 19
            async with secured(page, bound, scratch):
                for scheme in SCHEMES:
                    context = await visitor(browser, color_scheme=scheme, viewport=WINDOW, device_scale_factor=1.4)
                    await context.clock.set_fixed_time(clock.at)
                    tab = await context.new_page()
                    await tab.goto(f"{url}/approvals/")
                    await tab.get_by_label("token as a caller").fill(people.tokens["grace"])
                    await tab.get_by_role("button", name="Sign in").click()
                    await tab.wait_for_url(f"{url}/approvals/")
                    await take(tab, folder / f"team-{scheme}.png")
                    await context.close()


async def take(tab: Page, path: Path, *, end: int | None = None) -> None:
    """Take one picture of a whole page, or of its end, in few colours."""
    # a button takes no click in its first second and is dimmed meanwhile
    await expect(tab.locator("button[aria-disabled]")).to_have_count(0)
    keep(await tab.screenshot(full_page=True, animations="disabled"), path, end=end)


def keep(taken: bytes, path: Path, *, end: int | None = None) -> None:
    """Write a picture, or its end, in few colours."""
    picture = Image.open(io.BytesIO(taken)).convert("RGB")
    if end is not None:
        picture = picture.crop((0, picture.height - end, picture.width, picture.height))
    # the most frequent colours as they are, so that no ground changes its tint
    counted = sorted(picture.getcolors(picture.width * picture.height) or [], reverse=True)[:256]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for _, colour in counted for part in colour])
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)


anyio.run(main, Path(sys.argv[1]))
