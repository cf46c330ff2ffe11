"""Opens what the guard stands on: the state, its keys, and the places where a person approves."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio.to_thread
from pydantic import SecretStr
from starlette.types import ASGIApp

from barrack_mcp.config import Settings
from barrack_mcp.config.callers import Callers
from barrack_mcp.config.identity import Identities
from barrack_mcp.guard.approvals import Approval, Approvals, Approvers, Witness
from barrack_mcp.guard.page import UNTOLD, About, PageError, PageServer, new_secret
from barrack_mcp.guard.page.about import Books
from barrack_mcp.guard.passphrase import PASSPHRASE
from barrack_mcp.state.files import can_be_changed_by_others, replace
from barrack_mcp.state.secret import KeyFileError, secret_in
from barrack_mcp.state.store import Store, StoreError, store_at
from barrack_mcp.state.store.counted import counted

PAGE_SECRET: Final = "page.secret"  # noqa: S105 - a file's name
PAGE_ADDRESS: Final = "page.url"
NOTHING_CHANGES: Final = "Nothing is changed until that is mended; reading goes on."

_SEALING_KEY: Final = "seal.key"
_DOOR: Final = "page.html"
_SHARED: Final = "shared"
"""What keys are bound to that servers share: they have to be the same before Redis can be asked which state it is."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """What outlives a call.

    Attributes:
        store: Keeps it.
        approvals: Requests for a yes, and used answers.
        keys: What seals questions, newest first; they are good with this very state and no other.
        unkept: Why it can't be kept, so that nothing is changed; None if it can.
    """

    store: Store
    approvals: Approvals
    keys: tuple[str, ...]
    unkept: str | None = None

    @property
    def lasting(self) -> bool:
        """Whether it outlives the process and is shared with others."""
        return self.unkept is None


@asynccontextmanager
async def open_state(
    place: Path | SecretStr,
    *,
    keys: tuple[str, ...],
    ttl: float,
    witness: Witness | None = None,
    ca_file: Path | None = None,
    on_error: Callable[[], None] | None = None,
) -> AsyncIterator[State]:
    """Open the state; where it can't be kept, every use of it raises until it can, and the log says so.

    Args:
        place: The SQLite file, beside which the keys stand; or the address of a Redis, which wants keys of the
            operator's.
        keys: The operator's own keys; without any, one is made and kept.
        ttl: Seconds until a request lapses.
        witness: Told of each answer.
        ca_file: Certificates to trust beside the system's.
        on_error: Told of each failure of the store.
    """
    async with store_at(place, ca_file=ca_file) as opened:
        store = opened if on_error is None else counted(opened, on_error)
        approvals = Approvals(store, ttl=ttl, witness=witness)
        if not isinstance(place, Path):
            try:
                await store.identity()
            except StoreError as error:
                # it may be there in a moment, and then this server goes on as if it had been
                _log.error("%s %s", error, NOTHING_CHANGES)
            # a nonce is good with one state alone, and so is what carries it
            yield State(store, approvals, tuple(_bound(key, _SHARED) for key in keys))
            return
        path = place
        if path.parent.is_dir() and can_be_changed_by_others(path.parent):
            _log.warning("Others can exchange the files in %s; run: chmod go-w %s", path.parent, path.parent)
        try:
            identity = await store.identity()
        except StoreError as error:
            _log.error("%s %s", error, NOTHING_CHANGES)
            # what this process seals nobody else opens
            yield State(store, approvals, (secrets.token_urlsafe(32),), unkept=str(error))
            return
        try:
            own = keys or (await anyio.to_thread.run_sync(secret_in, path.parent / _SEALING_KEY),)
        except KeyFileError as error:
            _log.warning("%s Until then a yes is good only for the process that asked for it.", error)
            own = (secrets.token_urlsafe(32),)
        yield State(store, approvals, tuple(_bound(key, identity) for key in own))


def _bound(key: str, identity: str) -> str:
    """Make of a key one that is good with one state alone."""
    return hmac.new(key.encode(), identity.encode(), hashlib.sha256).hexdigest()


@asynccontextmanager
async def open_page(
    state: State,
    folder: Path,
    *,
    port: int,
    browser: bool,
    passphrase: str | None = None,
    about: About = UNTOLD,
    costs: Books | None = None,
) -> AsyncIterator[Callable[[Approval], Awaitable[None]]]:
    """Have the approval page ready; it begins to listen, and a browser to show it, with the first request.

    Args:
        state: What it shows and decides.
        folder: Where its secret and its address are left for the person's own terminal.
        port: Its port; 0 for any free one.
        browser: Whether this machine has a browser that a person sees.
        passphrase: Hash of what has to be typed at the sign-in and at a terminal; None where nothing is.
        about: For what the page speaks.
        costs: The accounts whose costs are shown; None where none are.

    Yields:
        What to tell of each new request.
    """
    try:
        secret = await anyio.to_thread.run_sync(secret_in, folder / PAGE_SECRET)
    except KeyFileError:
        secret = new_secret()
    shown: set[str] = set()
    async with PageServer(
        state.approvals, secret=secret, port=port, passphrase=passphrase, about=about, costs=costs
    ) as page:

        async def show(approval: Approval) -> None:
            if approval.id in shown:
                return
            before = frozenset(shown)
            shown.add(approval.id)
            try:
                # one window is enough for all that waits: the page tells of what comes
                windowed = any(each.id in before for each in await state.approvals.pending())
                if state.lasting:
                    await anyio.to_thread.run_sync(_leave_hash, folder / PASSPHRASE, passphrase)
                await page.start()
                if state.lasting:
                    await anyio.to_thread.run_sync(replace, folder / PAGE_ADDRESS, page.url.encode())
                if browser and state.lasting and not windowed:
                    await anyio.to_thread.run_sync(_browse, folder, page.login_url(approval.id))
            except (PageError, OSError, StoreError) as error:
                _log.warning("The approval page could not be shown (%s).", error)

        try:
            yield show
        finally:
            with contextlib.suppress(OSError):
                if state.lasting and shown:
                    (folder / PAGE_ADDRESS).unlink(missing_ok=True)
                    (folder / _DOOR).unlink(missing_ok=True)


def page_address(settings: Settings) -> str | None:
    """The address of the page for those who sign in; None where no browser gets there, or nobody could sign in."""
    by_issuer = settings.oidc_issuer is not None and settings.oidc_client_id is not None
    if settings.public_url is None or not (by_issuer or settings.http_tokens_file is not None):
        return None
    from barrack_mcp.guard.page.login.page import PATH  # noqa: PLC0415 - a web application, which stdio never needs

    return f"{settings.public_url}{PATH}"


def team_page(
    settings: Settings, state: State, callers: Callers, *, about: About, costs: Books | None = None
) -> Callable[[Identities], ASGIApp] | None:
    """Have the approval page ready for those who sign in, once it is known who says who somebody is.

    None where it has no address.

    Args:
        settings: What the operator set.
        state: What it shows and decides.
        callers: Who may call, and so may sign in.
        about: For what the page speaks.
        costs: The accounts whose costs are shown; None where none are.
    """
    from barrack_mcp.guard.page.login.code import Client  # noqa: PLC0415 - a web application, which stdio never needs
    from barrack_mcp.guard.page.login.page import create_team_page  # noqa: PLC0415 - as above

    public_url, issuer, client_id = settings.public_url, settings.oidc_issuer, settings.oidc_client_id
    client = None
    if issuer is not None and client_id is not None:
        client = Client(issuer, client_id, settings.oidc_client_secret, settings.network)
    if public_url is None or page_address(settings) is None:
        return None
    return lambda identities: create_team_page(
        state.approvals,
        public_url=public_url,
        keys=state.keys,
        callers=callers,
        by_token=settings.http_tokens_file is not None,
        identities=identities,
        client=client,
        approvers=Approvers.of_words(settings.approvers, four_eyes=settings.four_eyes),
        about=about,
        costs=costs,
    )


def _leave_hash(path: Path, passphrase: str | None) -> None:
    """Leave the hash for the person's terminal, which seldom has the settings of the server."""
    if passphrase is None:
        path.unlink(missing_ok=True)
    else:
        replace(path, passphrase.encode())


def _browse(folder: Path, link: str) -> None:
    """Open the link from a file of the owner's: a command line can be read by everyone on the machine."""
    import webbrowser  # noqa: PLC0415 - most processes open none

    door = folder / _DOOR
    shown = f'<!doctype html><meta http-equiv="refresh" content="0;url={link}"><title>Barrack approval</title>'
    replace(door, shown.encode())
    webbrowser.open(door.as_uri())
