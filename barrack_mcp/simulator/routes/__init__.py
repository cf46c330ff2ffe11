"""What the fake Barrack answers, one module a group: a function with its `route` is all that an operation takes."""

from __future__ import annotations

from barrack_mcp.simulator.routes import (
    billing,
    catalog,
    deploy,
    firewalls,
    instances,
    keys,
    scripts,
    snapshots,
    volumes,
)

__all__ = ["billing", "catalog", "deploy", "firewalls", "instances", "keys", "scripts", "snapshots", "volumes"]
