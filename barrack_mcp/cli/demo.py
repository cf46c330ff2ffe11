"""The whole story in under a minute: a real MCP client, a real server process, the simulator behind it."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

import anyio
import httpx2
import typer
from mcp import Client, StdioServerParameters
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from barrack_mcp import __version__
from barrack_mcp.account import money
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.catalogue.outcome import Plan
from barrack_mcp.cli.process import ExitCode, command_line, run
from barrack_mcp.cli.tools.plan import plan_lines
from barrack_mcp.guard.opening import PAGE_ADDRESS, PAGE_SECRET
from barrack_mcp.guard.page import login_link
from barrack_mcp.state.secret import secret_in

_LONGEST_S: Final = 60
_POLL_S: Final = 0.2
_MODEL: Final = "RTX-A6000"
_TIER: Final = "legacy"
_REGION: Final = "NORWAY-1"
_CURRENCY: Final = "USD"
_ON_THE_WAY: Final = {
    "CREATING": 10,
    "BUILD": 50,
    "STARTING": 50,
    "STOPPING": 50,
    "HIBERNATING": 50,
    "creating": 50,
}

app = typer.Typer()


@app.command()
def demo() -> None:
    """Show the whole story on the simulator, through a real MCP client; needs no account."""
    raise typer.Exit(run(tell))


class Story:
    """Tells each step as it happens; every answer on the screen came over the protocol.

    Args:
        client: Connected to the server.
        console: Where to tell it.
    """

    def __init__(self, client: Client, console: Console) -> None:
        self._client = client
        self._console = console
        self._step = 0

    def heading(self, title: str, why: str) -> None:
        """Begin a step."""
        self._step += 1
        self._console.print()
        self._console.rule(Text(f"{self._step}  {title}", style="bold"), align="left", style="dim")
        self._console.print(Text(why, style="dim"))

    async def call(self, tool: str, **arguments: Any) -> JsonObject:
        """Call a tool, show the call, and answer its structured content."""
        said = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        self._console.print(Text.assemble(("→ ", "cyan"), (tool, "bold cyan"), f"({said})"))
        return await self.quietly(tool, **arguments)

    async def quietly(self, tool: str, **arguments: Any) -> JsonObject:
        """Call a tool and show nothing."""
        return dict((await self._client.call_tool(tool, arguments)).structured_content or {})

    def says(self, text: str, style: str = "green") -> None:
        """Show what the server said."""
        self._console.print(Text.assemble(("← ", style), (text, style)))

    def show(self, what: RenderableType) -> None:
        """Show a table or a panel."""
        self._console.print(what)

    async def until(self, wanted: str, label: str, read: Callable[[], Any]) -> JsonObject:
        """Wait, with a progress bar, until a thing has reached a state."""
        columns = (TextColumn("  {task.description}"), BarColumn(bar_width=36), TextColumn("{task.fields[state]}"))
        with Progress(*columns, TimeElapsedColumn(), console=self._console) as bar:
            task = bar.add_task(label, total=100, state="")
            while True:
                thing: JsonObject = await read()
                state = str(thing.get("status"))
                done = 100 if state == wanted else _ON_THE_WAY.get(state, 20)
                bar.update(task, completed=done, state=state)
                if state == wanted:
                    return thing
                await anyio.sleep(_POLL_S)

    async def instance(self, instance_id: str) -> JsonObject:
        """Read one instance."""
        return dict((await self.quietly("get_instance", instance_id=instance_id))["instance"])


class Person:
    """Answers what the client asks, and later sits at the approval page, as a person's browser does.

    Args:
        folder: Where the server keeps its state, which only its owner can read.
        console: Where the questions are shown.
    """

    def __init__(self, folder: Path, console: Console) -> None:
        self._folder = folder
        self._console = console
        self._shown: set[str] = set()
        self.leaves = False
        """Whether the client closes its questions: nobody sits there any more."""

    async def asked(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG002 - the SDK passes it
        """Show a question as a client does, and answer it."""
        if not isinstance(params, ElicitRequestFormParams):
            raise TypeError("a form was expected")
        said = "closes it, unanswered" if self.leaves else "says yes"
        answer = Text(f"The person {said}.", style="bold magenta")
        question = "(the same as before)" if params.message in self._shown else params.message
        self._shown.add(params.message)
        self._console.print(
            Panel(Group(Text(question), Text(), answer), title="The client asks", border_style="magenta")
        )
        if self.leaves:
            return ElicitResult(action="cancel")
        return ElicitResult(action="accept", content={"approve": True})

    async def answers(self, approval_id: str, decision: Literal["approve", "deny"], typed: str = "") -> None:
        """Open the request on the page and press a button."""
        page = (self._folder / PAGE_ADDRESS).read_text(encoding="utf-8")
        link = login_link(page, secret=secret_in(self._folder / PAGE_SECRET), approval_id=approval_id)
        async with httpx2.AsyncClient(base_url=page, follow_redirects=True) as browser:
            shown = (await browser.get(link)).text
            mark = re.search(r'name="mark" value="([^"]+)"', shown)
            if mark is None:
                raise RuntimeError("the approval page did not open")
            form = {"mark": mark[1], "typed": typed}
            origin = page.rpartition("/")[0]
            answer = await browser.post(f"/requests/{approval_id}/{decision}", data=form, headers={"Origin": origin})
            answer.raise_for_status()


async def tell() -> ExitCode:
    """Tell the story; where it did not happen as told, say so on stderr."""
    console = Console(highlight=False)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log, tempfile.TemporaryDirectory() as folder:
        try:
            with anyio.fail_after(_LONGEST_S):
                person = Person(Path(folder), console)
                async with Client(_server(log, folder), elicitation_callback=person.asked) as client:
                    console.print(_title(client))
                    await _chapters(Story(client, console), person)
        except (OSError, KeyError, TimeoutError, RuntimeError, ExceptionGroup) as error:
            log.seek(0)
            logged = log.read().strip().splitlines()
            reason = logged[-1] if logged else _innermost(error)
            Console(stderr=True).print(Text(f"The demo could not go on: {reason}", style="red"))
            return ExitCode.FAILED
    console.print()
    _end(console)
    return ExitCode.OK


def _innermost(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def _server(log: Any, folder: str) -> Any:
    from mcp.client.stdio import stdio_client  # noqa: PLC0415 - only to send the server's log aside

    return stdio_client(
        StdioServerParameters(
            command=sys.executable,
            args=["-m", "barrack_mcp", "serve", "--simulator"],
            env={
                "BARRACK_STATE": f"{folder}/state.db",
                "BARRACK_BROWSER": "off",
                **_inherited(),
            },
        ),
        errlog=log,
    )


def _inherited() -> dict[str, str]:
    """What the server process needs to find this same installation."""
    return {name: os.environ[name] for name in ("PYTHONPATH", "COVERAGE_PROCESS_CONFIG") if name in os.environ}


async def _chapters(story: Story, person: Person) -> None:
    region = await _stock(story)
    instance_id = await _deployment(story, region)
    await _image(story, instance_id)
    await _stopping(story, instance_id)
    await _hibernation(story, instance_id)
    await _deletion(story, person, instance_id)


async def _stock(story: Story) -> str:
    story.heading("What is there, and what does it cost?", "Stock and prices are read now, never remembered.")
    stocks = (await story.call("list_gpu_stock", tier=_TIER, region=_REGION))["stocks"]
    prices = (await story.call("quote_price", resource_type="gpus", tier=_TIER))["pricing_data"]["gpus"]["pricing"]
    table = Table("GPU", "region", "available", "a GPU costs", header_style="bold")
    for stock in stocks:
        price = prices[_TIER][stock["gpu_model"]]["prices"][_CURRENCY]
        table.add_row(stock["gpu_model"], stock["region"], str(stock["available"]), _rate(price))
    story.show(table)
    return next(str(stock["region"]) for stock in stocks if stock["gpu_model"] == _MODEL)


async def _deployment(story: Story, region: str) -> str:
    story.heading("Deploy a machine", "It costs money, so the server asks a person first. Here the demo says yes.")
    keys = (await story.call("list_ssh_keys"))["ssh_keys"]
    images = (await story.call("list_os_images", region=region))["images"]
    outcome = await story.call(
        "deploy_instance",
        name="demo-1",
        tier=_TIER,
        region=region,
        gpu_model=_MODEL,
        gpu_count=1,
        boot_source="os_image",
        os_image=images[0]["name"],
        ssh_key_ids=[keys[0].get("key_id") or keys[0]["id"]],
    )
    story.says(outcome["message"])
    instance_id = str(outcome["result"]["data"]["instance_id"])
    await story.until("ACTIVE", "demo-1", lambda: story.instance(instance_id))
    return instance_id


async def _image(story: Story, instance_id: str) -> None:
    story.heading(
        "Keep its disk: snapshot, then image", "Barrack allows one image per snapshot; a second is stopped here."
    )
    outcome = await story.call("create_snapshot", instance_id=instance_id, name="demo-1-disk")
    story.says(outcome["message"])
    snapshot_id = str(outcome["result"]["data"]["snapshot_id"])

    async def snapshot() -> JsonObject:
        return dict((await story.quietly("get_snapshot", snapshot_id=snapshot_id))["snapshot"])

    await story.until("SUCCESS", "snapshot", snapshot)
    outcome = await story.call("create_custom_image", snapshot_id=snapshot_id, name="demo-image")
    story.says(outcome["message"])

    async def image() -> JsonObject:
        return dict((await story.quietly("get_snapshot_image", snapshot_id=snapshot_id))["image"])

    await story.until("available", "image", image)
    outcome = await story.call("create_custom_image", snapshot_id=snapshot_id, name="demo-image-2")
    story.says(outcome["message"], "yellow")


async def _stopping(story: Story, instance_id: str) -> None:
    story.heading("Stop it: what that does not save", "Elsewhere stopping ends the bill. Here it does not.")
    before = await story.instance(instance_id)
    outcome = await story.call("stop_instance", instance_id=instance_id)
    story.says(outcome["message"], "yellow")
    after = await story.until("SHUTOFF", "demo-1", lambda: story.instance(instance_id))
    _rates(story, before, after)


async def _hibernation(story: Story, instance_id: str) -> None:
    story.heading("Hibernate it: what does save", "Only hibernating or deleting ends the full rate.")
    await story.call("start_instance", instance_id=instance_id)
    before = await story.until("ACTIVE", "demo-1", lambda: story.instance(instance_id))
    outcome = await story.call("hibernate_instance", instance_id=instance_id)
    story.says(outcome["message"])
    after = await story.until("HIBERNATED", "demo-1", lambda: story.instance(instance_id))
    _rates(story, before, after)


def _rates(story: Story, before: JsonObject, after: JsonObject) -> None:
    table = Table("state", "billed at", "costs", header_style="bold")
    for instance in (before, after):
        table.add_row(str(instance["status"]), str(instance["billed_at"]), _rate(instance["hourly_rate"]))
    story.show(table)


def _rate(hourly: float) -> str:
    return money.write_rate(Decimal(str(hourly)), _CURRENCY)


async def _deletion(story: Story, person: Person, instance_id: str) -> None:
    story.heading(
        "Delete it: not without a person's yes",
        "Nobody sits at the client any more, so the question waits on a web page that the model doesn't control.",
    )
    person.leaves = True
    outcome = await story.call("delete_instance", instance_id=instance_id)
    story.says(outcome["message"], "yellow")
    shown = plan_lines(Plan.model_validate(outcome["plan"]))
    story.show(Panel(Group(*shown), title="What the person is shown", border_style="magenta"))
    await person.answers(outcome["approval"]["id"], "deny")
    story.says("A person opens the page and denies it.", "bold magenta")
    outcome = await story.call("delete_instance", instance_id=instance_id)
    story.says(outcome["message"], "red")
    still = await story.instance(instance_id)
    story.says(f"demo-1 is still there: {still['status']}.")
    outcome = await story.call("delete_instance", instance_id=instance_id)
    await person.answers(outcome["approval"]["id"], "approve", typed="demo-1")
    story.says("Asked again, the person types the name, demo-1, and approves it, once.", "bold magenta")
    outcome = await story.call("delete_instance", instance_id=instance_id)
    story.says(outcome["message"])
    listed = await story.quietly("list_instances")
    if any(row["instance_id"] == instance_id and row["status"] != "DELETING" for row in listed["instances"]):
        raise RuntimeError("demo-1 should be gone")
    story.says("demo-1 is gone.")


def _title(client: Client) -> Panel:
    return Panel(
        Group(
            Text(f"barrack-mcp {__version__}", style="bold"),
            Text(f"A real MCP client, a real server over stdio (protocol {client.protocol_version}), a fake Barrack."),
            Text("Simulated time runs 60 times as fast. Nothing here is real: no account, no network, no money."),
            Text("Where the server asks a person, the demo shows the question and answers in the person's place."),
        ),
        border_style="cyan",
    )


def _end(console: Console) -> None:
    """Say what to do next; each line can be copied, so none is broken."""
    here = command_line()
    console.print(Rule(Text("That was the main job", style="bold"), style="green"))
    for what, line in (
        ("All tools, and what each may do:", "tools"),
        ("Go on without an account:", "call list_instances --simulator"),
        ("Put it into your client, such as Claude Code:", "install claude-code"),
    ):
        console.print(Text(what))
        console.print(Text(f"  {here} {line}", style="bold"), soft_wrap=True)
