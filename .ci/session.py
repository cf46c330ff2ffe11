"""Make README's pictures of a session: a real client, a real server, the simulator; the folder is the argument.

What the person says is written here; every answer and every question in the picture came over the protocol.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import anyio
from mcp import Client, StdioServerParameters
from mcp.client import ClientRequestContext
from mcp.client.stdio import stdio_client
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from barrack_mcp.guard.asking.question import READING_S

_COLUMNS: Final = 88
_LONGEST_S: Final = 60
_NORMAL: Final = {
    "light": ["f3eefc", "cf222e", "116329", "953800", "0969da", "8250df", "1b7c83"],
    "dark": ["221b36", "ff7b72", "3fb950", "d29922", "58a6ff", "bc8cff", "39c5cf"],
}
"""In the order of a terminal; black is the ground of a question."""
_GREY: Final = {"light": "57606a", "dark": "8b949e"}
_PAPER: Final = {"light": "ffffff", "dark": "0d1117"}
_INK: Final = {"light": "24292f", "dark": "e6edf3"}
_FORMAT: Final = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>A session: an assistant is to stop and to delete a machine; a person is asked, and says no, then yes</title>
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px;
}}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""Rich's own fetches a font from another host, which a picture in a page may not do."""


class Window:
    """A client's window: what the person types, what the assistant calls, what the server says.

    Args:
        console: Where it is shown.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._answers: Iterator[str] = iter(())

    def says(self, words: str, *answers: str) -> None:
        """Show what the person says; the answers are for the questions that will follow."""
        self._answers = iter(answers)
        self._console.print()
        self._console.print(Text.assemble(("You  ", "bold blue"), (words, "bold")))

    def calls(self, tool: str, **arguments: Any) -> None:
        """Show a call."""
        said = ", ".join(f"{name}={value}" for name, value in arguments.items())
        self._console.print(Text.assemble(("  →  ", "cyan"), (tool, "cyan"), (f"  {said}", "bright_black")))

    def shows(self, words: str, style: str = "") -> None:
        """Show what the server said."""
        for line in textwrap.wrap(words, _COLUMNS - 7):
            self._console.print(Text(f"     {line}", style))

    def table(self, table: Table) -> None:
        """Show rows of an answer."""
        with self._console.capture() as taken:
            self._console.print(table)
        for line in taken.get().splitlines():
            self._console.print(Text.assemble("     ", Text.from_ansi(line)))

    async def asks(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG002 - the SDK passes it
        """Show the server's question as a client does, on a ground of its own, and answer it as the person does."""
        if not isinstance(params, ElicitRequestFormParams):
            raise TypeError("a form was expected")
        lines = [each for line in params.message.splitlines() for each in textwrap.wrap(line, _COLUMNS - 9)]
        answer = next(self._answers)
        typed = "name" in params.requested_schema["properties"]
        for line in lines:
            self._boxed(Text(line))
        self._boxed(Text.assemble(("Name: " if typed else "Yes or no: ", "magenta"), (answer, "bold magenta")))
        if answer == "no":
            # sooner than anybody reads it, the no would not be taken for a person's
            await anyio.sleep(READING_S)
            return ElicitResult(action="decline")
        return ElicitResult(action="accept", content={"name": answer} if typed else {"approve": True})

    def _boxed(self, line: Text) -> None:
        line.pad_left(1)
        line.pad_right(_COLUMNS - 6 - cell_len(line.plain))
        line.stylize("on black")
        self._console.print(Text("     ") + line)


async def _session(window: Window, client: Client) -> None:
    window.says("Which of my machines cost money, and how much?")
    window.calls("list_instances")
    listed = dict((await client.call_tool("list_instances", {})).structured_content or {})
    table = Table(
        "machine", "GPU", "state", "billed at", "USD per hour", header_style="bold", box=None, padding=(0, 3, 0, 0)
    )
    for row in listed["instances"]:
        gpu = f"{row['gpu_count']} \N{MULTIPLICATION SIGN} {row['gpu_type']}"
        table.add_row(row["vm_name"], gpu, row["status"], row["billed_at"], f"{row['hourly_rate']:.2f}")
    window.table(table)
    window.shows(listed["billing"], "yellow")
    machine = next(row for row in listed["instances"] if row["vm_name"] == "train-2")["instance_id"]
    for words, tool, answer in (
        ("Stop train-2 to save money.", "stop_instance", "no"),
        ("Oh. Delete it then, I don't need it any more.", "delete_instance", "train-2"),
    ):
        window.says(words, answer)
        window.calls(tool, instance_id=machine)
        result = dict((await client.call_tool(tool, {"instance_id": machine})).structured_content or {})
        window.shows(result["message"], "green" if result["outcome"] == "done" else "red")


async def _recorded() -> Console:
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log, tempfile.TemporaryDirectory() as folder:
        server = StdioServerParameters(
            command=sys.executable,
            args=["-m", "barrack_mcp", "serve", "--simulator"],
            env={"BARRACK_STATE": f"{folder}/state.db", "BARRACK_BROWSER": "off"},
        )
        console = Console(
            record=True,
            width=_COLUMNS,
            file=io.StringIO(),
            force_terminal=True,
            color_system="truecolor",
            legacy_windows=False,
        )
        window = Window(console)
        with anyio.fail_after(_LONGEST_S):
            async with Client(stdio_client(server, errlog=log), elicitation_callback=window.asks) as client:
                await _session(window, client)
        return console


def _theme(scheme: str) -> TerminalTheme:
    normal = [_rgb(colour) for colour in _NORMAL[scheme]]
    ink = _rgb(_INK[scheme])
    return TerminalTheme(_rgb(_PAPER[scheme]), ink, [*normal, ink], [_rgb(_GREY[scheme]), *normal[1:], ink])


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour)
    return red, green, blue


async def main(folder: Path) -> None:
    """Hold the session once and take both pictures, light and dark."""
    console = await _recorded()
    for scheme in _NORMAL:
        picture = console.export_svg(
            title="An assistant, its MCP client and barrack-mcp",
            theme=_theme(scheme),
            clear=False,
            code_format=_FORMAT,
            unique_id="session",
        )
        (folder / f"session-{scheme}.svg").write_text(
            re.sub(r"[ \t]+$", "", picture, flags=re.MULTILINE), encoding="utf-8"
        )


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]))
