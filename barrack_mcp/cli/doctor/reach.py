"""From here to the API, step by step: name, connection, certificate, clock, what answers there, and the key."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import anyio

from barrack_mcp.api.answer.gateway import BROWSER
from barrack_mcp.api.http.network import EXPIRED, FAULTS, IF_IT_IS_YOURS, NOT_YET, OTHER_HOST, UNKNOWN_ISSUER
from barrack_mcp.api.probe import Form, Heard, Probe, Trouble
from barrack_mcp.api.wire.overrides import ApiOverride, Overrides
from barrack_mcp.cli.doctor.key import Ways, accepted, silent
from barrack_mcp.cli.doctor.report import Check, Verdict
from barrack_mcp.cli.process import ExitCode

NAME_S: Final = 3.0
ANSWER_S: Final = 5.0
FORMS_S: Final = 4.0
BASES_S: Final = 3.0
SKEW_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Reached:
    """How far one came.

    Attributes:
        checks: What was seen on the way.
        form: How the API takes the key; None where there is no use in going on.
        override: What to lay over the contract.
    """

    checks: tuple[Check, ...]
    form: Form | None = None
    override: Overrides = field(default_factory=Overrides)


async def reach(
    probe: Probe, ways: Ways, form: Form, *, local: bool, seconds: float, now: Callable[[], float]
) -> Reached:
    """Go from here to the API, and stop where there is no way on.

    The key is sent only once something has answered there without it that may be an API.

    Args:
        probe: Asks.
        ways: Where to knock.
        form: How the key is to ride.
        local: Whether the API is in this process, so that there is no network.
        seconds: For one request at most.
        now: The time in seconds since 1970.
    """
    host = urlsplit(probe.url).hostname or ""
    checks: list[Check] = []
    if not local:
        checks.append(await _name(host))
        if checks[-1].verdict is Verdict.FAILS:
            return Reached(tuple(checks))
    heard = await probe.get(ways.documented, seconds=min(seconds, ANSWER_S))
    if isinstance(heard, Trouble):
        return Reached((*checks, _trouble(heard, probe.url, now)))
    if not local:
        checks.append(Check("connection", Verdict.OK, "Something answers."))
        if probe.url.startswith("https:"):
            checks.append(Check("certificate", Verdict.OK, "It is valid and for this host."))
        checks.append(_clock(heard, now))
    if heard.status == HTTPStatus.NOT_FOUND and (
        beside := await _beside(probe, ways.documented, seconds=min(seconds, BASES_S))
    ):
        return Reached((*checks, beside[0]), override=beside[1])
    checks.append(_what_answers(heard))
    if checks[-1].verdict is Verdict.FAILS or probe.key is None:
        return Reached(tuple(checks))
    with anyio.move_on_after(FORMS_S):
        key, found = await accepted(probe, ways, form, heard, seconds=min(seconds, FORMS_S))
        checks.append(key)
        override = ApiOverride(auth_header=found.header, auth_template=found.template) if found else ApiOverride()
        went = found or (None if key.verdict is Verdict.FAILS else form)
        return Reached(tuple(checks), went, Overrides(api=override))
    checks.append(silent("The API stopped answering while the key was tried."))
    return Reached(tuple(checks))


async def _beside(probe: Probe, path: str, *, seconds: float) -> tuple[Check, Overrides] | None:
    """Look, without the key, whether the documented path is known below another base URL of the host."""
    url = urlsplit(probe.url)
    root = f"{url.scheme}://{url.netloc}"
    above = probe.url.rpartition("/")[0]
    others = [above] * (above != f"{url.scheme}:/") + [f"{probe.url}/v1", f"{probe.url}/api", f"{root}/api"]
    with anyio.move_on_after(seconds):
        for base in dict.fromkeys(others):
            if base == probe.url:
                continue
            heard = await probe.get_at(base, path, seconds=seconds)
            if (
                isinstance(heard, Heard)
                and heard.body is not None
                and (heard.refuses_key or heard.status == HTTPStatus.OK)
            ):
                told = f"The API is not at {probe.url} but at {base}."
                mend = f"Set BARRACK_API_URL={base}. The key was not sent."
                return _other(told, mend), Overrides(api=ApiOverride(url=base))
    return None


async def _name(host: str) -> Check:
    """Look the host's name up, and give up in time: the system's own way to do it has no limit."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[str] = loop.create_future()

    def tell(words: str) -> None:
        if not found.done():
            found.set_result(words)

    def look_up() -> None:
        try:
            socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            words = ""
        except (OSError, UnicodeError) as error:
            words = str(getattr(error, "strerror", "")) or "no such name"
        try:
            loop.call_soon_threadsafe(tell, words)
        except RuntimeError:
            # nobody waits any more
            return

    threading.Thread(target=look_up, daemon=True).start()
    with anyio.move_on_after(NAME_S):
        words = await found
        if not words:
            return Check("name", Verdict.OK, f"{host} is known.")
        mend = "Is the host in BARRACK_API_URL right, and is this machine online?"
        return Check("name", Verdict.FAILS, f"The name {host} is not known ({words}).", mend, ExitCode.UNREACHABLE)
    mend = "Is this machine online? A VPN or a broken name server can cause this."
    return Check(
        "name", Verdict.FAILS, f"No name server told within {NAME_S:g} s where {host} is.", mend, ExitCode.UNREACHABLE
    )


def _trouble(trouble: Trouble, url: str, now: Callable[[], float]) -> Check:
    place = urlsplit(url).netloc
    clock = f"{datetime.fromtimestamp(now(), UTC):%Y-%m-%d %H:%M} UTC"
    direct = "Where a proxy leads out of this network, set HTTPS_PROXY or BARRACK_PROXY."
    name, sentence, mend = {
        Trouble.REFUSED: ("connection", f"{place} refuses connections.", f"Is BARRACK_API_URL right? {direct}"),
        Trouble.NO_WAY: (
            "connection",
            f"There is no way from this network to {place}.",
            f"Is this machine online? {direct}",
        ),
        Trouble.NO_CONNECTION: ("connection", f"{place} does not react: connections time out.", direct),
        Trouble.EXPIRED: (
            "certificate",
            f"The certificate of {place} {FAULTS[EXPIRED]}; this machine's clock says {clock}.",
            "If the clock is right, only the API's owner can mend this. Nothing was sent.",
        ),
        Trouble.NOT_YET: (
            "certificate",
            f"The certificate of {place} {FAULTS[NOT_YET]}; this machine's clock says {clock}.",
            "Set the clock right. Nothing was sent.",
        ),
        Trouble.UNKNOWN_ISSUER: (
            "certificate",
            f"The certificate of {place} {FAULTS[UNKNOWN_ISSUER[0]]}.",
            f"Something may listen in, such as a proxy of this network; {IF_IT_IS_YOURS}. Nothing was sent.",
        ),
        Trouble.OTHER_HOST: (
            "certificate",
            f"The certificate that {place} shows {FAULTS[OTHER_HOST[0]]}.",
            "Is BARRACK_API_URL right? Something else may answer in its place. Nothing was sent.",
        ),
        Trouble.NO_TLS: (
            "certificate",
            f"{place} answers, but not with TLS that can be used.",
            "Is the port in BARRACK_API_URL one for https? Nothing was sent.",
        ),
        Trouble.NO_PROXY: (
            "connection",
            f"The proxy on the way to {place} can't be used, or lets nothing through.",
            "Is BARRACK_PROXY or HTTPS_PROXY right, with its user and password? BARRACK_PROXY=off goes without one.",
        ),
        Trouble.NO_CERTIFICATES: (
            "certificate",
            "The certificates that BARRACK_CA_FILE names can't be read.",
            "Let it name a PEM file.",
        ),
        Trouble.SILENT: ("connection", f"{place} takes connections and then does not answer.", "Try again later."),
        Trouble.BROKEN: (
            "connection",
            f"{place} breaks connections off, or speaks no HTTP.",
            "Is the port in BARRACK_API_URL right?",
        ),
    }[trouble]
    return Check(name, Verdict.FAILS, sentence, mend, ExitCode.UNREACHABLE)


def _clock(heard: Heard, now: Callable[[], float]) -> Check:
    if heard.date is None:
        return Check("clock", Verdict.OK, "The answer bears no date to compare with.")
    off = now() - heard.date
    if abs(off) <= SKEW_S:
        return Check("clock", Verdict.OK, "It agrees with the API's.")
    told = f"This machine's clock is {_span(abs(off))} {'ahead of' if off > 0 else 'behind'} the API's."
    return Check("clock", Verdict.WARNING, told, "Set it right: approvals, the audit record and TLS depend on it.")


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{round(minutes / 60)} h"  # noqa: PLR2004 - two hours


def _what_answers(heard: Heard) -> Check:
    """Tell an API from what else may answer in its place."""
    if heard.gateway is not None:
        told = f"{heard.gateway.sentence} (HTTP {heard.status})."
        return _other(told, f"{heard.gateway.mend} The key was not sent.".lstrip())
    if heard.web_page and not heard.redirects:
        mend = f"{BROWSER} The key was not sent."
        return _other("A web page answers in the API's place: BARRACK_API_URL points to a website.", mend)
    if heard.in_trouble:
        told = f"The API answers {heard.status}: it has trouble of its own."
        return Check("answer", Verdict.FAILS, told, "Try again later.", ExitCode.FAILED)
    if heard.wrong and not heard.redirects:
        return _other(f"What answers is no API: its answer {heard.wrong}.", "Is BARRACK_API_URL right?")
    told = "It redirects the documented path within the host; not followed." if heard.redirects else "It speaks JSON."
    return Check("answer", Verdict.OK, told)


def _other(told: str, mend: str) -> Check:
    return Check("answer", Verdict.FAILS, told, mend, ExitCode.UNREACHABLE)
