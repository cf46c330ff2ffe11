"""Make the pictures of the page and the card: single requests, the list, spending; the folder is the argument.

Needs `CARD_HOST`, as `.ci/browser/run` makes it, Pillow, and for the letters of the pictures in the repository Debian's
fonts-noto-core and fonts-noto-mono.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import Any, Final, Literal

import anyio

sys.path.insert(0, str(Path(__file__).parents[2]))

from PIL import Image
from playwright.async_api import Page, ViewportSize, expect

from stage import browsing, planned, serving
from test_card import overview, shown

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
        told = await overview(Path(tempfile.mkdtemp()))
        for scheme in SCHEMES:
            async with shown(browser, told, theme=scheme) as (_, card):
                keep(await card.locator("body").screenshot(animations="disabled"), folder / f"spending-{scheme}.png")


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
