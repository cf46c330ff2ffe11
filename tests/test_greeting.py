"""What a server says of itself at its start."""

from __future__ import annotations

import pytest

from barrack_mcp.catalogue import OFFERS
from barrack_mcp.config import read_settings
from barrack_mcp.transports.greeting import listening

READS = sum(offer.reads for offer in OFFERS.values())


@pytest.mark.parametrize(
    ("given", "api", "words"),
    [
        ({}, "", (f"{len(OFFERS)} tools on the SIMULATOR, where nothing is real", "no limit on spending")),
        ({}, "barrack.ai", ("tools for the account at barrack.ai", "`barrack-mcp approvals`")),
        ({"BARRACK_READ_ONLY": "1"}, "barrack.ai", (f"{READS} of", "reads only")),
        ({"BARRACK_UNATTENDED": "spend"}, "barrack.ai", ("spend without asking",)),
        ({"BARRACK_APPROVAL": "refuse"}, "barrack.ai", ("what needs a person's yes is refused",)),
        (
            {"BARRACK_MAX_HOURLY_COST": "20", "BARRACK_MIN_RUNWAY_HOURS": "24", "BARRACK_CURRENCY": "EUR"},
            "barrack.ai",
            ("all that runs at most 20 EUR an hour and credit for at least 24 hours",),
        ),
        ({"BARRACK_PROTECT": "prod-*,data-*"}, "barrack.ai", ("2 protected names",)),
        ({"BARRACK_HTTP_TOKENS_FILE": "/etc/callers.toml"}, "barrack.ai", ("no limit on spending",)),
    ],
)
def test_the_start_over_http_says_what_is_offered_for_what_and_what_holds(
    given: dict[str, str], api: str, words: tuple[str, ...]
) -> None:
    said = listening(read_settings(given), transport="http", address="http://127.0.0.1:8765/mcp", api=api)
    who = "callers with a token" if "BARRACK_HTTP_TOKENS_FILE" in given else "whoever can reach it"
    assert said.startswith(f"Serving http on http://127.0.0.1:8765/mcp to {who}: ")
    assert all(word in said for word in words), said


def test_over_http_the_start_says_where_requests_wait() -> None:
    told = {}
    for name, given in {
        "here": {},
        "there": {"BARRACK_HTTP_TOKENS_FILE": "/etc/callers.toml", "BARRACK_PUBLIC_URL": "https://bot.example.com"},
    }.items():
        settings = read_settings({"BARRACK_SIMULATOR": "1", **given})
        told[name] = listening(settings, transport="http", address="http://127.0.0.1:8765/mcp", api="")
    assert "requests wait at `barrack-mcp approvals`" in told["here"]
    assert "requests wait at https://bot.example.com/approvals/" in told["there"]
