"""Where a server over HTTP shows itself: `/ready`, and `/metrics` where what makes them is installed."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from starlette.routing import Route

from barrack_mcp.config import Settings
from barrack_mcp.server.house import House
from barrack_mcp.transports.monitoring.ready import Readiness

if TYPE_CHECKING:
    from barrack_mcp.transports.monitoring.metrics import Metrics

READY: Final = "/ready"
METRICS: Final = "/metrics"


def open_metrics(settings: Settings, now: Callable[[], float] = time.monotonic) -> Metrics | None:
    """Begin to count; None where the extra `metrics` isn't installed.

    Args:
        settings: What the operator set.
        now: A clock that only goes forward, in seconds.
    """
    if importlib.util.find_spec("prometheus_client") is None:
        return None
    from barrack_mcp.transports.monitoring.metrics import Metrics  # noqa: PLC0415 - only where it is installed

    return Metrics(by_caller=settings.metrics_by_caller, now=now)


def routes(
    house: House, settings: Settings, metrics: Metrics | None, now: Callable[[], float] = time.monotonic
) -> list[Route]:
    """Make the routes beside those of the protocol.

    Args:
        house: What is served.
        settings: What the operator set.
        metrics: What counts; None where nothing does.
        now: A clock that only goes forward, in seconds.
    """
    brought = settings.keys_file is not None or settings.keys_from_callers
    has_key = settings.key is not None or not brought
    ready = Readiness(
        house.accounts.shared, house.state.store, house.record, draining=house.draining, has_key=has_key, now=now
    )
    found = [Route(READY, ready.answer)]
    if metrics is not None:
        metrics.watch(
            house.accounts, house.state.approvals, currency=settings.currency, has_key=settings.key is not None
        )
        found.append(Route(METRICS, metrics.answer))
    return found
