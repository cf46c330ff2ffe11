"""The house, wired from the settings: client, guard, writer, dispatcher, server."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import anyio
from anyio.abc import TaskGroup
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateSecurity
from pydantic import SecretStr
from starlette.types import ASGIApp

from barrack_mcp.account.account import Account, digest_of_key
from barrack_mcp.api.client import open_client
from barrack_mcp.api.pace import BURST, PER_MINUTE
from barrack_mcp.api.wire.form import Contract
from barrack_mcp.catalogue import OPERATIONS, Risk
from barrack_mcp.config import Settings, SettingsError
from barrack_mcp.config.callers import Callers, CallersError
from barrack_mcp.config.identity import Identities
from barrack_mcp.config.keys import Keys
from barrack_mcp.dispatch.answers.drift import Drifts
from barrack_mcp.dispatch.dispatcher import Dispatcher
from barrack_mcp.dispatch.reaping import Reaper, Reapers, unasked
from barrack_mcp.dispatch.witness import note_shown, witness
from barrack_mcp.dispatch.writes.keyfile import KeyFolder
from barrack_mcp.dispatch.writes.ledger import Ledger
from barrack_mcp.dispatch.writes.looking import look as looking
from barrack_mcp.dispatch.writes.writer import Writer
from barrack_mcp.guard.approvals import Approvals
from barrack_mcp.guard.consent.waiting import AT_A_TERMINAL, ON_THE_OPEN_PAGE, place_of
from barrack_mcp.guard.decide import Mode, Policy
from barrack_mcp.guard.guard import Guard
from barrack_mcp.guard.opening import NOTHING_CHANGES, State, open_page, open_state, page_address, team_page
from barrack_mcp.guard.page import About
from barrack_mcp.guard.page.about import Books
from barrack_mcp.guard.ruling.ruling import unheard
from barrack_mcp.guard.turns import PATIENCE_S, Turns
from barrack_mcp.server.callers import by_request
from barrack_mcp.server.callers.accounts import Accounts, FullError, given_keys, open_accounts, owners_of
from barrack_mcp.server.callers.own_keys import OwnKeys
from barrack_mcp.server.contract import open_contract, place, surface
from barrack_mcp.server.tools import create_server
from barrack_mcp.server.watch import NOBODY, Watch
from barrack_mcp.state.audit import Audit, AuditError
from barrack_mcp.state.leases import Leases
from barrack_mcp.state.purchases import Purchases
from barrack_mcp.state.store import Approval, StoreError
from barrack_mcp.state.traces import Traces

if TYPE_CHECKING:
    # few starts need these: what does is loaded by who calls it
    from barrack_mcp.guard.page.costs import Costs
    from barrack_mcp.server.chat.telling import Telling

_SEAL_OUTLASTS_S: Final = 60.0
_SHORT: Final = 8
"""Letters of a key's digest that tell it from others."""
_OUR_OWN_S: Final = 60.0
"""Time for what a call waits for on this machine: the record, the state, a busy processor."""

_ASKS_ITSELF: Final = (
    "BARRACK_APPROVAL=elicit asks for a yes through the caller's own client, and with BARRACK_FOUR_EYES, which is on "
    "where callers sign in, such a yes doesn't count: set BARRACK_APPROVAL=auto, or BARRACK_FOUR_EYES=off."
)
_NOBODY_SIGNS_IN: Final = (
    "BARRACK_APPROVERS names who may say yes on the page where people sign in, so it needs BARRACK_PUBLIC_URL, and "
    "BARRACK_HTTP_TOKENS_FILE or BARRACK_OIDC_ISSUER; without them whoever sits at this machine would."
)
_ONE_CLIENT: Final = (
    "BARRACK_OIDC_CLIENT_ID is BARRACK_OIDC_AUDIENCE: what shows that somebody signed in to the page would let their "
    "browser call, too. Register the page as a client of its own."
)

_NO_ROOM: Final = "As many accounts are in use as can be kept open; that of a caller is looked at the next time."

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class House:
    """A server, ready to be put behind a transport.

    Attributes:
        server: Speaks the protocol.
        drain: Lets no more writes begin, and returns when none is under way.
        api: The host of the API that it speaks to; empty for the simulator.
        contract: The contract in force.
        reapers: Finds who ends what is past its lease, one in each account whose key the operator gives now; that of
            the server's own key first.
        callers: Who may call over HTTP; None for whoever can reach it.
        page: Makes the approval page for those who sign in, with who says who they are; None where nobody can.
        accounts: The accounts that calls are about.
        state: What outlives a call.
        record: The audit record; None where none is kept.
        draining: Whether no more writes begin, since the process ends.
    """

    server: Server[Any]
    drain: Callable[[], Awaitable[None]]
    api: str
    contract: Contract
    reapers: Reapers
    accounts: Accounts
    state: State
    record: Audit | None
    draining: Callable[[], bool]
    callers: Callers | None = None
    page: Callable[[Identities], ASGIApp] | None = None


@asynccontextmanager
async def open_server(
    settings: Settings, *, remote: bool = False, at_terminal: bool = False, watch: Watch = NOBODY
) -> AsyncIterator[House]:
    """Wire the house from the settings: client, dispatcher, server; at the end, what was sent is waited for.

    Args:
        settings: What the operator set.
        remote: Whether callers sit elsewhere, so that a file written here is out of their reach.
        at_terminal: Whether the person who is asked sits at the terminal where the calls are made.
        watch: Told of what happens.
    """
    app = None
    if settings.simulator:
        from barrack_mcp.simulator import create_app  # noqa: PLC0415 - not needed on a real account, and not small

        app = create_app()
    contract = await open_contract(settings)
    url, auth_header, auth_template = place(settings, contract)
    url = "http://127.0.0.1/api" if app else url
    record = _record(settings, watch)
    callers, keys = _callers(settings) if remote else (None, None)
    four_eyes = callers is not None and settings.four_eyes
    if four_eyes and settings.approval == "elicit":
        raise SettingsError(_ASKS_ITSELF)
    if record is not None:
        await _checked(record)
    about = About(
        api="" if app else urlsplit(url).netloc,
        account="" if app else digest_of_key(settings.key)[:_SHORT],
        simulator=app is not None,
        remote=remote,
    )

    async def read(caller: str) -> Costs:
        from barrack_mcp.guard.page.costs import read_costs  # noqa: PLC0415 - loaded with the page

        async with accounts.of(keys.by_name().get(caller) if keys is not None else None) as account:
            return await read_costs(account, settings.currency, now=time.time())

    costs = Books(read, partial(owners_of, keys, shared=settings.key), brought=settings.keys_from_callers and remote)
    given = partial(given_keys, keys, shared=settings.key)

    async with (
        open_state(
            settings.state_place,
            keys=settings.sealing_keys,
            ca_file=settings.ca_file,
            ttl=settings.approval_ttl,
            witness=witness(record) if record is not None else None,
            on_error=partial(watch.unkept, "store"),
        ) as state,
        open_page(
            state,
            settings.state_folder,
            port=settings.page_port,
            browser=settings.browser,
            passphrase=settings.approval_passphrase_hash,
            about=about,
            costs=costs,
        ) as show,
        # told last, so that it hears of what was still under way
        _open_chat(
            state.approvals,
            settings,
            page=None if callers is None or settings.public_url is None else page_address(settings),
            simulator=app is not None,
            grace=_most_seconds(settings),
        ) as chat,
        _writes() as tasks,
        AsyncExitStack() as opened,
    ):

        async def on_request(approval: Approval) -> None:
            await show(approval)
            if remote:
                # whoever runs the server may be the only one who sits near it
                _log.warning(
                    "A call waits for a person: barrack-mcp approve %s, or barrack-mcp approvals.", approval.id
                )
            if chat is not None:
                chat.asked()

        @asynccontextmanager
        async def account_of(key: SecretStr | None) -> AsyncIterator[Account]:
            async with open_client(
                url=url,
                key=key,
                auth_header="Authorization" if app else auth_header,
                auth_template="Bearer {key}" if app else auth_template,
                seconds=settings.timeout,
                contract=contract,
                app=app,
                network=settings.network,
                claim=state.store.pace(f"{url} {digest_of_key(key)}", per_minute=PER_MINUTE, burst=BURST),
                watch=watch.sent,
            ) as client:
                yield Account(
                    client,
                    url,
                    key_digest=digest_of_key(key),
                    api="simulator" if app else str(urlsplit(url).netloc),
                    traces=Traces(state.store),
                    leases=Leases(state.store),
                    purchases=Purchases(state.store),
                    lease_hours=settings.default_lease_hours,
                    brought=key not in given(),
                )

        accounts = await opened.enter_async_context(open_accounts(account_of, settings.key, keys))
        page = None if callers is None else team_page(settings, state, callers, about=about, costs=costs)
        where = None if page is None else page_address(settings)
        near = ON_THE_OPEN_PAGE if settings.browser and state.lasting else AT_A_TERMINAL
        guard = partial(
            Guard,
            approvals=state.approvals,
            turns=Turns(state.store, patience=min(settings.timeout, PATIENCE_S), hold=_most_seconds(settings)),
            secrets=[key.encode() for key in state.keys],
            on_request=on_request,
            place=near if where is None else place_of(where, four_eyes=four_eyes),
            on_shown=note_shown(record) if record is not None else unheard,
        )
        policy = Policy(
            mode=Mode(settings.approval),
            unattended=frozenset(Risk(risk) for risk in settings.unattended),
            protect=settings.protect,
            max_hourly_cost=settings.max_hourly_cost,
            min_runway_hours=settings.min_runway_hours,
            max_monthly_cost=settings.max_monthly_cost,
            max_machine_cost=settings.max_machine_cost,
            currency=settings.currency,
            question_seconds=settings.elicit_timeout,
            four_eyes=four_eyes,
        )
        writer = Writer(ledger=Ledger(state.store, under_way_s=_most_seconds(settings)), audit=record, tasks=tasks)
        dispatcher = Dispatcher(
            surface=surface(settings, contract),
            guard=guard(policy=policy),
            writer=writer,
            currency=settings.currency,
            key_folder=None if remote else KeyFolder(settings.state_folder / "keys"),
            reveal_private_keys=remote and settings.reveal_private_keys,
            drifts=Drifts(0) if app else Drifts(),
            on_redeemed=chat.ended if chat is not None else None,
            unsaid="" if state.unkept is None else f"{state.unkept} {NOTHING_CHANGES}",
            on_end=watch.ended,
        )
        # whoever has it run has said yes to all that it does; what a surface leaves out is left out for callers
        known = {operation.tool: contract.operation(operation) for operation in OPERATIONS}
        reaps = replace(
            dispatcher, surface=known, guard=guard(policy=unasked(policy)), drifts=Drifts(0), unsaid="", on_end=None
        )
        server = create_server(
            dispatcher,
            by_request(callers, accounts.shared),
            # the guard keeps the time limit itself; the seal's own only has to outlast it
            security=RequestStateSecurity(keys=state.keys, ttl=settings.elicit_timeout + _SEAL_OUTLASTS_S),
            at_terminal=at_terminal,
        )
        server.middleware.append(OwnKeys(accounts, callers, keys, brought=settings.keys_from_callers, watch=watch))
        yield House(
            server=server,
            drain=writer.drain,
            api="" if app else urlsplit(url).netloc,
            contract=contract,
            reapers=_reapers(reaps, accounts, given),
            accounts=accounts,
            state=state,
            record=record,
            draining=writer.is_draining,
            callers=callers,
            page=page,
        )


def _reapers(dispatcher: Dispatcher, accounts: Accounts, given: Callable[[], Iterable[SecretStr | None]]) -> Reapers:
    """Find who reaps in the accounts of the keys that the operator gives."""

    @asynccontextmanager
    async def opened(key: SecretStr | None) -> AsyncIterator[Reaper]:
        try:
            async with accounts.of(key) as account:
                yield Reaper(dispatcher=dispatcher, account=account)
        except FullError:
            raise StoreError(_NO_ROOM) from None

    return lambda: map(opened, given())


def _callers(settings: Settings) -> tuple[Callers | None, Keys | None]:
    """Read who may call, and the keys that they have of their own.

    Raises:
        SettingsError: What is wrong in those files.
    """
    if (settings.oidc_issuer is None) != (settings.oidc_audience is None):
        raise SettingsError(
            "BARRACK_OIDC_ISSUER and BARRACK_OIDC_AUDIENCE go together: a token for another service lets nobody in."
        )
    if settings.oidc_client_id is not None and settings.oidc_client_id == settings.oidc_audience:
        raise SettingsError(_ONE_CLIENT)
    if settings.oidc_client_id is not None and (settings.oidc_issuer is None or settings.public_url is None):
        raise SettingsError(
            "BARRACK_OIDC_CLIENT_ID lets people sign in to the approval page, so it needs BARRACK_OIDC_ISSUER and "
            "BARRACK_PUBLIC_URL."
        )
    if settings.approvers and (settings.public_url is None or not settings.has_login):
        raise SettingsError(_NOBODY_SIGNS_IN)
    if settings.oidc_issuer is None and any(each.startswith("group:") for each in settings.approvers):
        raise SettingsError("BARRACK_APPROVERS names a group, and no BARRACK_OIDC_ISSUER says who is of it.")
    if not settings.has_login:
        if settings.keys_file is not None:
            raise SettingsError(
                "BARRACK_KEYS_FILE tells callers apart, so it needs BARRACK_HTTP_TOKENS_FILE or BARRACK_OIDC_ISSUER."
            )
        return None, None
    try:
        callers = Callers(settings.http_tokens_file)
    except CallersError as error:
        raise SettingsError(
            "\n".join(f"BARRACK_HTTP_TOKENS_FILE: {each}" for each in str(error).splitlines())
        ) from None
    try:
        return callers, None if settings.keys_file is None else Keys(settings.keys_file)
    except CallersError as error:
        raise SettingsError(str(error)) from None


def _record(settings: Settings, watch: Watch) -> Audit | None:
    if settings.audit_file is None or settings.read_only:
        return None
    return Audit(settings.audit_file, on_error=partial(watch.unkept, "audit"))


def _open_chat(
    approvals: Approvals, settings: Settings, *, page: str | None, simulator: bool, grace: float
) -> AbstractAsyncContextManager[Telling | None]:
    """Tell a chat of what waits, where one is set."""
    if settings.webhook_url is None:
        return nullcontext()
    from barrack_mcp.server.chat.telling import open_telling  # noqa: PLC0415 - most houses tell none

    return open_telling(approvals, settings, page=page, simulator=simulator, grace=grace)


@asynccontextmanager
async def _writes() -> AsyncIterator[TaskGroup]:
    """Run tasks, and wait for them at the end, also where that is an error; the error comes through as it is."""
    raised: Exception | None = None
    async with anyio.create_task_group() as tasks:
        try:
            yield tasks
        except Exception as error:  # noqa: BLE001 - raised below
            raised = error
    if raised is not None:
        raise raised


def _most_seconds(settings: Settings) -> float:
    """The most that a call can take from its last look to its end: reads, the sending, looks, what is ours."""
    return 3 * settings.timeout + looking.SECONDS + looking.NOTE_SECONDS + _OUR_OWN_S


async def _checked(record: Audit) -> None:
    """See that the record can be written; if not, reads go on and every write is refused until it can."""
    try:
        await record.check()
    except AuditError as error:
        _log.error("%s Nothing is changed until that is mended; reading goes on.", error)
