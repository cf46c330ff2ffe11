"""What a call to the API is, how it is refused, and how answers are laid out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from barrack_mcp.simulator.market import TIERS
from barrack_mcp.simulator.world import World

Json = dict[str, Any]
JsonValue = Any
"""Whatever JSON can say."""
Item = TypeVar("Item")

MAX_LIMIT = 100
DEFAULT_LIMIT = 20
MAX_DIGITS = 9


class RefusedError(Exception):
    """The call is answered with an error body and changes nothing."""

    def __init__(self, status: int, body: Json, *headers: tuple[str, str]) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers


def rule(status: int, code: str, message: str, **facts: Any) -> RefusedError:
    """A business rule stands against the call: `{"success": false, "message", "code", ...}`."""
    return RefusedError(status, {"success": False, "message": message, "code": code, **facts})


def missing(kind: str) -> RefusedError:
    """The thing that the call names is not in this account."""
    return rule(404, f"{kind.upper().replace(' ', '_')}_NOT_FOUND", f"{kind} not found")


def detail(status: int, text: str, *headers: tuple[str, str]) -> RefusedError:
    """The framework itself refuses: `{"detail": ...}`."""
    return RefusedError(status, {"detail": text}, *headers)


def misfit(errors: dict[str, list[str]]) -> RefusedError:
    """The body or the query does not fit: `{"field": ["..."]}` with 400."""
    return RefusedError(400, dict(errors))


@dataclass(slots=True)
class Call:
    """One authenticated, routed call. A write that finds nothing to change sets `changed` to false."""

    world: World
    ids: dict[str, str]
    query: dict[str, str]
    body: Json
    changed: bool = True

    @property
    def now(self) -> float:
        """The simulated time of this call."""
        return self.world.now


@dataclass(frozen=True, slots=True)
class Route:
    """One of the 63 operations: its tool's name, method, path template, and what answers it."""

    operation: str
    method: str
    path: str
    answer: Callable[[Call], Json]
    writes: bool = False
    status: int = 200
    bare: bool = False
    """True where the vendor's published body bears no `request_id`."""


def whole_number(call: Call, name: str, default: int, most: int | None = None) -> int:
    """A number of the query from 1 up."""
    given = call.query.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and len(given) <= MAX_DIGITS):
        raise misfit({name: ["A valid integer is required."]})
    number = int(given)
    if number < 1:
        raise misfit({name: ["Ensure this value is greater than or equal to 1."]})
    if most is not None and number > most:
        raise misfit({name: [f"Ensure this value is less than or equal to {most}."]})
    return number


def paged(call: Call, root: str, items: Sequence[Item], show: Callable[[Item], Json], **beside: Any) -> Json:
    """One page under `root`, with `total, page, limit, total_pages` at top level."""
    page = whole_number(call, "page", 1)
    limit = whole_number(call, "limit", DEFAULT_LIMIT, MAX_LIMIT)
    first = (page - 1) * limit
    return {
        root: [show(item) for item in items[first : first + limit]],
        **beside,
        "total": len(items),
        "page": page,
        "limit": limit,
        "total_pages": -(-len(items) // limit),
    }


def wanted_tier(call: Call) -> str:
    """The tier that the query asks for, in small letters; empty if it asks for none."""
    tier = call.query.get("tier", "").lower()
    if "tier" in call.query and tier not in TIERS:
        raise misfit({"tier": ["Select a valid choice. That choice is not one of the available choices."]})
    return tier


def matching(call: Call, items: Iterable[Item], **fields: str) -> list[Item]:
    """The items that pass the query's filters; `fields` says which attribute each filter reads. Case does not count."""
    if "tier" in fields:
        wanted_tier(call)
    wanted = [(field, call.query[name].lower()) for name, field in fields.items() if call.query.get(name)]
    return [item for item in items if all(str(getattr(item, field)).lower() == value for field, value in wanted)]
