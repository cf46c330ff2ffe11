"""Runs the fake Barrack by itself, for scripts and for trying things out."""

from __future__ import annotations

import logging
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from barrack_mcp.cli.process import ExitCode, leave, settle
from barrack_mcp.config import SettingsError
from barrack_mcp.simulator import create_app, server
from barrack_mcp.simulator.barrack import Barrack

app = typer.Typer()

_log = logging.getLogger(__name__)


class Scenario(StrEnum):
    """What the simulator starts with."""

    SMALL = "small"
    LARGE = "large"


@app.command()
def simulate(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8900,
    speed: Annotated[float, typer.Option(min=0, help="Simulated seconds per real second.")] = 1,
    seed: Annotated[int, typer.Option(help="Same seed, same world.")] = 1,
    scenario: Annotated[Scenario, typer.Option(help="What is there at the start.")] = Scenario.SMALL,
    contract: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A contract file: speak as it says, to rehearse with it.")
    ] = None,
) -> None:
    """Run a fake Barrack as an HTTP server: the API under /api (key: sim-key), its controls under /_sim."""
    app = create_app(scenario=scenario.value, seed=seed, speed=speed, **(_spoken(contract) if contract else {}))
    address = f"http://{host}:{port}"
    use = f"BARRACK_API_URL={address}/api BARRACK_API_KEY=sim-key"
    use += f" BARRACK_CONTRACT={contract}" if contract is not None else ""
    _log.warning("A fake Barrack listens on %s; use %s", address, use)
    _log.warning("%s", tell_start(address, scenario=scenario.value, seed=seed, speed=speed))
    settle()
    try:
        server.serve(host=host, port=port, app=app)
    except OSError as error:
        leave(f"Port {port} on {host} can't be opened ({error.strerror}); try another --port.", ExitCode.USAGE)


def tell_start(address: str, *, scenario: str, seed: int, speed: float) -> str:
    """Say with what the simulator starts, how its time runs, and how to move it on.

    Args:
        address: Where it listens.
        scenario: What is there at the start.
        seed: Which of the worlds of that kind.
        speed: Simulated seconds per real second.
    """
    balance = Barrack(scenario=scenario, seed=seed, speed=0).state()["balance"]
    return (
        f"It starts with {balance['amount']:,.2f} {balance['currency']}, and all in it costs {balance['hourly']:.2f} "
        f"an hour. {speed:g} simulated seconds pass in a real one; POST {address}/_sim/clock with "
        '{"advance_s": 3600} lets an hour pass at once, and --speed 60 makes it run.'
    )


def _spoken(file: Path) -> dict[str, Any]:
    """How the simulator speaks by a contract file."""
    from barrack_mcp.api.wire.form import Contract  # noqa: PLC0415 - a simulator as shipped needs none of it
    from barrack_mcp.server.contract import overrides_in  # noqa: PLC0415 - likewise
    from barrack_mcp.server.rehearsal import Rehearsal  # noqa: PLC0415 - likewise

    try:
        spoken = Contract(overrides_in(file, "--contract"))
    except SettingsError as error:
        leave(str(error), ExitCode.USAGE)
    for tool, words in spoken.refused.items():
        _log.warning("What was said of %s is not followed: it %s.", tool, words)
    api = spoken.overrides.api
    auth = {"auth_header": api.auth_header, "auth_template": api.auth_template}
    return {"dialect": Rehearsal(spoken), **{name: said for name, said in auth.items() if said is not None}}
