"""The front door: one module a command; each parses, prints and exits."""

from __future__ import annotations

import os
import sys

from barrack_mcp.transports.stdio.greeter import greet


def main() -> None:
    """Run the command line; a client that started this is greeted while the rest is loaded."""
    greet(sys.argv[1:], os.environ)
    from barrack_mcp.cli.app import main as run  # noqa: PLC0415 - takes long, and the client is waiting

    run()


__all__ = ["main"]
