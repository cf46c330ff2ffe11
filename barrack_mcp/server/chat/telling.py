"""When a chat is told: each thing once, by whichever process is first, beside all calls and in a bounded measure.

What is to be told isn't kept in a queue: it is read off the requests themselves, which all processes share, so that the
reminder and the end are also told of what another process asked for or decided, and of what was asked before a restart.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

import anyio

from barrack_mcp.api.http.webhook import ATTEMPTS, Webhook
from barrack_mcp.catalogue.outcome import Ending
from barrack_mcp.config import Settings
from barrack_mcp.guard.approvals import Approval, Approvals, Status
from barrack_mcp.server.chat.forms import form_for, write_message
from barrack_mcp.server.chat.notes import Came, Event, Note
from barrack_mcp.state.store import StoreError

Post: TypeAlias = Callable[[list[Note], int], Awaitable[bool]]
"""Tells a chat some things, in so many attempts at most."""

_AT_ONCE: Final = 6
"""Messages that may follow each other at once; what there is beyond is gathered in one."""
_REFILL_S: Final = 10.0
"""After how long one more may follow."""
_NEAR_S: Final = 2.0
"""Between two looks while something waits for an answer, or for what comes of it."""
_FAR_S: Final = 30.0
"""Between two looks otherwise: another process may have been asked."""
_GATHERING_S: Final = 0.1
_MOST_TOGETHER: Final = 50
"""Things that one message tells of."""
_STALE_S: Final = 3600.0
"""What is over for longer is no news."""
_RECENT: Final = 200
_MOST_KEPT: Final = 100
_CLOSING_S: Final = 1.5
"""Time to tell at the end what has not been told."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Due:
    """What is to be told of a request, and when; the same in each process."""

    event: Event
    approval: Approval
    at: float

    @property
    def key(self) -> tuple[str, Event]:
        return self.approval.id, self.event


class Telling:
    """Tells a chat of requests.

    Args:
        approvals: The requests.
        post: Tells it.
        link: Where a request is read in a browser, by its id; None where only this machine can.
        grace: Seconds after which what came of a call is not waited for any more.
        now: Seconds since 1970.
    """

    def __init__(
        self,
        approvals: Approvals,
        *,
        post: Post,
        link: Callable[[str], str | None] = lambda _: None,
        grace: float = 0.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._approvals, self._post, self._link, self._grace, self._now = approvals, post, link, grace, now
        self._came: dict[str, Came] = {}
        self._over: set[tuple[str, Event]] = set()
        """What was told, here or elsewhere."""
        self._open: list[Approval] = []
        """What may still be due, as it was seen last."""
        self._changes: int | None = None
        self._room = float(_AT_ONCE)
        self._counted_at = now()
        self._wake = anyio.Event()
        self.closing = anyio.Event()

    def asked(self) -> None:
        """Look now: there is a new request."""
        self._wake.set()

    def ended(self, approval_id: str, outcome: Ending, message: str) -> None:
        """Take note of what came of a call that a person had approved.

        Args:
            approval_id: The request.
            outcome: The verdict.
            message: It in a sentence, without secrets.
        """
        self._came[approval_id] = Came(outcome, message)
        while len(self._came) > _MOST_KEPT:
            del self._came[next(iter(self._came))]
        self._wake.set()

    async def run(self) -> None:
        """Look and tell until closed."""
        while not self.closing.is_set():
            self._wake = anyio.Event()
            wait = await self._look_safely()
            with anyio.move_on_after(wait):
                await self._wake.wait()
            # what is asked for at one moment is told together
            await self.pause(_GATHERING_S)
        # what was asked for a moment ago is told before the process goes
        await self._look_safely()

    def close(self) -> None:
        """Look a last time, and end."""
        self.closing.set()
        self._wake.set()

    async def pause(self, seconds: float) -> bool:
        """Wait between two attempts; says whether there shall be another."""
        with anyio.move_on_after(seconds):
            await self.closing.wait()
        return not self.closing.is_set()

    async def _look_safely(self) -> float:
        try:
            return await self.look()
        except StoreError as error:
            # calls say so themselves, each time
            _log.info("the requests could not be read: %s", error)
        except Exception:  # noqa: BLE001 - a chat that is not told is no reason to end the server
            _log.exception("internal error while a chat was told")
        return _FAR_S

    async def look(self) -> float:
        """Tell what is due; answers in how many seconds to look again.

        Raises:
            StoreError: The requests can't be read.
        """
        changes = await self._approvals.changes()
        if changes != self._changes:
            pending = await self._approvals.pending()
            self._open = [*pending, *await self._approvals.recent(_RECENT)]
            self._over &= {(approval.id, event) for approval in self._open for event in Event}
            # not before it was read: what breaks off is read again
            self._changes = changes
        now = self._now()
        waiting = sum(approval.status is Status.PENDING for approval in self._open)
        due = [each for each in self._due() if each.key not in self._over]
        ripe = sorted((each for each in due if each.at <= now < _stale(each.approval)), key=lambda each: each.at)
        self._fill(now)
        if ripe and self._room >= 1:
            await self._tell(ripe[:_MOST_TOGETHER], waiting)
            return 0.0
        awaited = [each.at - now for each in due if each.at > now]
        if ripe:
            awaited.append(_REFILL_S * (1 - self._room))
        near = _NEAR_S if any(self._goes_on(approval, now) for approval in self._open) else _FAR_S
        return min([near, *awaited])

    def _due(self) -> Iterator[_Due]:
        """List what is to be told of each request as it stands, and when."""
        for approval in self._open:
            match approval.status:
                case Status.PENDING:
                    yield _Due(Event.ASKED, approval, approval.created_at)
                    yield _Due(Event.REMINDER, approval, _half(approval))
                case Status.APPROVED:
                    yield _Due(Event.APPROVED, approval, approval.decided_at or approval.created_at)
                case Status.DENIED:
                    yield _Due(Event.DENIED, approval, approval.decided_at or approval.created_at)
                case Status.EXPIRED:
                    yield _Due(Event.LAPSED, approval, approval.expires_at)
                case Status.USED:
                    used = approval.used_at or approval.created_at
                    yield _Due(Event.ENDED, approval, used if approval.id in self._came else used + self._grace)

    async def _tell(self, ripe: list[_Due], waiting: int) -> None:
        """Tell what no process has told yet."""
        notes: list[Note] = []
        try:
            for each in ripe:
                notes += [self._note(each, waiting)] if await self._is_ours(each) else []
        finally:
            # what is this process's to tell nobody else tells
            await self._post_all(notes)

    async def _is_ours(self, due: _Due) -> bool:
        """Take what is due upon this process, unless another has it."""
        approval, event = due.approval, due.event
        if event is Event.ASKED and self._now() >= _half(approval):
            await self._claim(approval, Event.REMINDER)
        # of what nobody was told of, the end is no news
        untold = event is not Event.ASKED and await self._claim(approval, Event.ASKED)
        return await self._claim(approval, event) and not untold

    def _note(self, due: _Due, waiting: int) -> Note:
        approval = due.approval
        came = self._came.get(approval.id) if due.event is Event.ENDED else None
        return Note(due.event, approval, self._now(), self._link(approval.id), waiting, came)

    async def _claim(self, approval: Approval, event: Event) -> bool:
        if (approval.id, event) in self._over:
            return False
        claimed = await self._approvals.use(f"webhook:{event}:{approval.id}", until=_stale(approval))
        self._over.add((approval.id, event))
        return claimed

    async def _post_all(self, notes: list[Note]) -> None:
        """Post each thing on its own as long as there is room, and the rest together."""
        attempts = ATTEMPTS if not self.closing.is_set() else 1
        alone = len(notes) if len(notes) <= self._room else int(self._room) - 1
        for message in [*([note] for note in notes[:alone]), notes[alone:]]:
            if message:
                self._room -= 1
                await self._post(message, attempts)

    def _fill(self, now: float) -> None:
        passed = max(0.0, now - self._counted_at)
        self._room, self._counted_at = min(float(_AT_ONCE), self._room + passed / _REFILL_S), now

    def _goes_on(self, approval: Approval, now: float) -> bool:
        """Whether more is to come of a request."""
        if approval.status in (Status.PENDING, Status.APPROVED):
            return True
        return (
            approval.status is Status.USED and now < _stale(approval) and (approval.id, Event.ENDED) not in self._over
        )


def _half(approval: Approval) -> float:
    return (approval.created_at + approval.expires_at) / 2


def _stale(approval: Approval) -> float:
    return approval.expires_at + _STALE_S


@asynccontextmanager
async def open_telling(
    approvals: Approvals, settings: Settings, *, page: str | None, simulator: bool, grace: float
) -> AsyncIterator[Telling | None]:
    """Tell a chat, beside all else, while the block runs; None where no chat is set.

    Args:
        approvals: The requests.
        settings: What the operator set.
        page: Address of the page where people answer who sign in; None where there is none.
        simulator: Whether none of it is real.
        grace: Seconds after which what came of a call is not waited for any more.
    """
    if settings.webhook_url is None:
        yield None
        return
    form = settings.webhook_form or form_for(settings.webhook_url)

    async def post(notes: list[Note], attempts: int) -> bool:
        delivery = secrets.token_hex(8)
        body = write_message(notes, form=form, delivery=delivery, simulator=simulator)
        return await webhook.post(body, delivery=delivery, attempts=attempts)

    telling = Telling(
        approvals,
        post=post,
        link=lambda approval_id: None if page is None else f"{page}/requests/{approval_id}",
        grace=grace,
    )
    webhook = Webhook(settings.webhook_url, settings.webhook_secret, network=settings.network, pause=telling.pause)
    over, raised = anyio.Event(), None

    async def run() -> None:
        try:
            await telling.run()
        finally:
            over.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        try:
            yield telling
        except Exception as error:  # noqa: BLE001 - raised below, as it is
            raised = error
        telling.close()
        with anyio.move_on_after(_CLOSING_S):
            await over.wait()
        tasks.cancel_scope.cancel()
    if raised is not None:
        raise raised
