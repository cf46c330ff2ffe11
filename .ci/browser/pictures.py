"""Make README's pictures of the page: the deletion of an instance, light and dark; the folder is the argument.

Needs Pillow, too, and for the letters of the pictures in the repository Debian's fonts-noto-core and fonts-noto-mono.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Literal

import anyio

sys.path.insert(0, str(Path(__file__).parents[2]))

from PIL import Image
from playwright.async_api import expect

from stage import browsing, planned, serving

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


async def main(folder: Path) -> None:
    """Ask once, wait 19 seconds, and take both pictures."""
    deletion = await planned("delete_instance")
    async with browsing() as browser, serving(browser) as desk:
        asked = await desk.ask(deletion)
        await desk.later(19)
        for scheme in SCHEMES:
            tab = await desk.open(
                asked, color_scheme=scheme, viewport={"width": 860, "height": 700}, device_scale_factor=1.4
            )
            # a button takes no click in its first second and is dimmed meanwhile
            await expect(tab.locator("button[aria-disabled]")).to_have_count(0)
            taken = await tab.screenshot(full_page=True, animations="disabled")
            few_colours = Image.open(io.BytesIO(taken)).convert("RGB")
            few_colours = few_colours.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
            few_colours.save(folder / f"approval-{scheme}.png", optimize=True)


anyio.run(main, Path(sys.argv[1]))
