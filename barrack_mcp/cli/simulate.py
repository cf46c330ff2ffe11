"""Runs the fake Barrack by itself, for scripts and for trying things out."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import Annotated

import typer

from barrack_mcp.cli.process import ExitCode, leave, settle
from barrack_mcp.simulator import server
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
) -> None:
    """Run a fake Barrack as an HTTP server: the API under /api (key: sim-key), its controls under /_sim."""
    address = f"http://{host}:{port}"
    _log.warning("A fake Barrack listens on %s; use BARRACK_API_URL=%s/api BARRACK_API_KEY=sim-key", address, address)
    _log.warning("%s", tell_start(address, scenario=scenario.value, seed=seed, speed=speed))
    settle()
    try:
        server.serve(host=host, port=port, speed=speed, seed=seed, scenario=scenario.value)
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
