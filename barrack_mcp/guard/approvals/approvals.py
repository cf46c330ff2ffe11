"""Approvals out of band: a person's yes, given where the model has no reach, good once and for one call alone."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import anyio

from barrack_mcp.api.text import is_same_name
from barrack_mcp.state.store import OPEN_ENDED, Approval, Place, Status, Store

__all__ = [
    "MAX_WRONG_NAMES",
    "Approval",
    "ApprovalError",
    "Approvals",
    "NotPending",
    "Status",
    "TooManyPending",
    "UnknownApproval",
    "Witness",
    "WrongName",
]

Witness: TypeAlias = Callable[[Approval], Awaitable[None]]

MAX_WRONG_NAMES: Final = 10
MOST_PENDING: Final = 50
"""Requests of one caller's that may wait at a time."""
_MAX_PENDING: Final = 1_000
_ID_LETTERS: Final = 10

_ALREADY: Final = {
    Status.APPROVED: "has been approved already",
    Status.DENIED: "has been denied already",
    Status.EXPIRED: "has expired",
    Status.USED: "has been approved and used already",
}


class ApprovalError(Exception):
    """A decision that can't be taken; its text is one sentence for the person."""


class UnknownApproval(ApprovalError):  # noqa: N818  # named for what it says
    """No request has this id."""

    def __init__(self) -> None:
        super().__init__("There is no request with this id; it may be older than this server keeps.")


class TooManyPending(ApprovalError):  # noqa: N818  # as above
    """One caller asks for more than people can be asked by one."""

    def __init__(self) -> None:
        super().__init__(
            f"Not done: {MOST_PENDING} requests of this caller's wait for an answer already, and no more are taken "
            "until some of them are answered or lapse. Nothing was sent to Barrack; tell the user."
        )


class NotPending(ApprovalError):  # noqa: N818  # as above
    """The request has its answer, or its time is over."""

    def __init__(self, approval: Approval) -> None:
        super().__init__(f"Nothing changed: this request {_ALREADY[approval.status]}.")
        self.approval = approval


class WrongName(ApprovalError):  # noqa: N818  # as above
    """What was typed is not, letter for letter, what had to be."""

    def __init__(self, approval: Approval) -> None:
        left = MAX_WRONG_NAMES - approval.wrong_names
        then = {0: "The request is now denied.", 1: "1 try is left."}.get(left, f"{left} tries are left.")
        super().__init__(f"That is not the name asked for, letter for letter, so nothing was approved. {then}")
        self.approval = approval


@dataclass(frozen=True)
class Taken:
    """A yes that is said where the call is made.

    Attributes:
        before: The request as it stood.
        agreed: The same with a yes.
        used: The same once that is used.
    """

    before: Approval
    agreed: Approval
    used: Approval


class Approvals:
    """Requests for a person's yes, their answers, and the one use of each yes.

    Every method raises `StoreError` when the state can't be read or written.

    Args:
        store: Where they are kept.
        ttl: Seconds from the request until it, and a yes to it, lapses.
        now: The time in seconds since 1970.
        witness: Told of each answer that counts; it must not raise.
    """

    def __init__(
        self, store: Store, *, ttl: float, now: Callable[[], float] = time.time, witness: Witness | None = None
    ) -> None:
        self._store = store
        self._ttl = ttl
        self._now = now
        self._witness = witness

    async def request(
        self,
        *,
        binding: str,
        caller: str,
        tool: str,
        arguments: Mapping[str, Any],
        plan: Mapping[str, Any],
        must_type: str | None,
        fingerprint: str,
        on_behalf_of: str | None = None,
        known_as: Collection[str] = (),
        place: Place | None = None,
    ) -> Approval:
        """Ask for a yes. While one is asked for, or given and not used, the same binding gets that same request.

        Args:
            binding: Digest of all that the yes is good for.
            caller: Who asks.
            tool: The tool's name.
            arguments: Its arguments as JSON, masked already.
            plan: What the call would do, as JSON.
            must_type: What the person has to type to approve; None if a plain yes is enough.
            fingerprint: The target as the plan found it.
            on_behalf_of: For whom the caller says that it asks.
            known_as: What else the caller is called.
            place: In the line, to be left as soon as the request is there.

        Raises:
            TooManyPending: As many of the caller's wait already as one caller may have.
        """
        now = self._now()
        fresh = Approval(
            id=_new_id(),
            binding=binding,
            caller=caller,
            tool=tool,
            arguments=arguments,
            plan=plan,
            must_type=must_type,
            fingerprint=fingerprint,
            status=Status.PENDING,
            created_at=now,
            expires_at=now + self._ttl,
            on_behalf_of=on_behalf_of,
            known_as=sorted(known_as) or None,
        )
        while True:
            kept = await self._store.add_approval(fresh, most=MOST_PENDING, place=place)
            if kept is None:
                # people are to see others', too
                raise TooManyPending
            current = self.judge(kept)
            if current.status in OPEN_ENDED:
                return current
            # whoever asks anew has no need to hear of the old answer
            await self._store.swap_approval(kept, replace(current, told_at=self._now()))

    async def live(self, *bindings: str) -> Approval | None:
        """Show the request behind a call as it stands now, and leave it as it is; None if there is none.

        Args:
            bindings: As for `request`; more than one while the key that makes them is exchanged.
        """
        for binding in bindings:
            if (kept := await self._store.live_approval(binding)) is not None:
                return self.judge(kept)
        return None

    def use_up(self, approval: Approval) -> Approval:
        """Write up that the yes of a request is used; it counts once it is kept in the place of what stands there."""
        return replace(approval, status=Status.USED, used_at=self._now())

    async def redeem(self, binding: str, *, fingerprint: str | None = None, use: bool = True) -> Approval | None:
        """Use a yes up: one caller alone ever gets it, as `used`. A no or a lapse is told once, then forgotten.

        Args:
            binding: As for `request`.
            fingerprint: The target as it is now. A request that shows another and still waits ends here: a person must
                not be asked about what is no longer so.
            use: Whether a yes may be used up; else it stays, and is shown as `approved`.

        Returns:
            The request; None if nobody was asked yet, or the answer was told before.
        """
        while (kept := await self._store.live_approval(binding)) is not None:
            current = self.judge(kept)
            now = self._now()
            outdated = current.status is Status.PENDING and fingerprint not in (None, current.fingerprint)
            if outdated:
                after = replace(current, status=Status.EXPIRED, expires_at=now, told_at=now)
            elif current.status is Status.PENDING or (current.status is Status.APPROVED and not use):
                return current
            elif current.status is Status.APPROVED:
                after = self.use_up(current)
            else:
                after = replace(current, told_at=now)
            if await self._store.swap_approval(kept, after):
                return None if outdated else after
        return None

    async def approve(self, approval_id: str, *, by: str, typed: str | None = None) -> Approval:
        """Say yes to one call, once.

        Args:
            approval_id: The request's id.
            by: Who says so, and where.
            typed: What the person typed; has to be exactly the request's `must_type`, if it has one.

        Raises:
            UnknownApproval: No request has this id.
            NotPending: It is decided or expired.
            WrongName: Something else was typed; after the tenth time the request is denied.
        """
        while True:
            kept = await self._pending_one(approval_id)
            if kept.must_type is None or (typed is not None and is_same_name(typed, kept.must_type)):
                if await self._store.swap_approval(kept, after := self._decided(kept, Status.APPROVED, by)):
                    return await self._witnessed(after)
                continue
            after = replace(kept, wrong_names=kept.wrong_names + 1)
            if after.wrong_names >= MAX_WRONG_NAMES:
                after = self._decided(after, Status.DENIED, f"{by}, by {MAX_WRONG_NAMES} wrong names")
            if await self._store.swap_approval(kept, after):
                if after.status is Status.DENIED:
                    await self._witnessed(after)
                raise WrongName(after)

    async def deny(self, approval_id: str, *, by: str) -> Approval:
        """Say no, or take back a yes that was not used yet.

        Raises:
            UnknownApproval: No request has this id.
            NotPending: It is denied, used or expired.
        """
        while True:
            kept = await self._pending_one(approval_id, or_approved=True)
            if await self._store.swap_approval(kept, after := self._decided(kept, Status.DENIED, by)):
                return await self._witnessed(after)

    async def draft_taken(self, approval_id: str, *, by: str) -> Taken:
        """Write up a yes that is said where the call itself is made, and its use; so one that was given elsewhere.

        Nothing is changed by that: it counts once what is used is kept in the place of what stood there.

        Args:
            approval_id: The request's id.
            by: Who says so, and where.

        Raises:
            UnknownApproval: No request has this id.
            NotPending: It is denied, used or expired.
        """
        kept = await self._pending_one(approval_id, or_approved=True)
        agreed = self._decided(kept, Status.APPROVED, by) if kept.status is Status.PENDING else kept
        return Taken(kept, agreed, self.use_up(agreed))

    async def witness_taken(self, taken: Taken) -> None:
        """Tell of a yes that was said where the call was made, now that it counts."""
        if taken.agreed is not taken.before:
            await self._witnessed(taken.agreed)

    async def withdraw(self, approval: Approval) -> None:
        """End a request of which its caller was never told, also while that one is being cancelled."""
        with anyio.CancelScope(shield=True):
            while (kept := await self._kept(approval.id)).status in OPEN_ENDED:
                now = self._now()
                ended = replace(kept, status=Status.EXPIRED, expires_at=min(now, kept.expires_at), told_at=now)
                if await self._store.swap_approval(kept, ended):
                    return

    async def find(self, approval_id: str) -> Approval:
        """Show one request as it stands now.

        Raises:
            UnknownApproval: No request has this id.
        """
        return self.judge(await self._kept(approval_id))

    async def pending(self) -> list[Approval]:
        """List the requests that wait for an answer, oldest first."""
        await self._lapse()
        return (await self._store.approvals([Status.PENDING], limit=_MAX_PENDING))[::-1]

    async def recent(self, limit: int = 20) -> list[Approval]:
        """List the requests that have their answer or expired, newest first."""
        await self._lapse()
        return await self._store.approvals([status for status in Status if status is not Status.PENDING], limit=limit)

    async def changes(self) -> int:
        """Count the requests and the changes of their status until now, lapses included."""
        await self._lapse()
        return await self._store.changes()

    def new_nonce(self) -> str:
        """Make what is good once; see `Store.new_nonce`."""
        return self._store.new_nonce()

    async def use(self, nonce: str, *, until: float) -> bool:
        """Use up what is good once, such as a link to sign in; see `Store.use`."""
        return await self._store.use(nonce, until=until)

    async def is_used(self, nonce: str) -> bool:
        """Whether what is good once was used up."""
        return await self._store.is_used(nonce)

    async def _kept(self, approval_id: str) -> Approval:
        kept = await self._store.find_approval(approval_id) if approval_id.isascii() else None
        if kept is None:
            raise UnknownApproval
        return kept

    async def _pending_one(self, approval_id: str, *, or_approved: bool = False) -> Approval:
        kept = await self._kept(approval_id)
        current = self.judge(kept)
        if current.status is not Status.PENDING and not (or_approved and current.status is Status.APPROVED):
            raise NotPending(current)
        return kept

    async def _lapse(self) -> None:
        for kept in await self._store.approvals(OPEN_ENDED, limit=_MAX_PENDING):
            current = self.judge(kept)
            if current.status is not kept.status:
                await self._store.swap_approval(kept, current)

    async def _witnessed(self, approval: Approval) -> Approval:
        if self._witness is not None:
            await self._witness(approval)
        return approval

    def judge(self, approval: Approval) -> Approval:
        """Show how a request stands now that was read just now: its time may be over."""
        if approval.status in OPEN_ENDED and self._now() >= approval.expires_at:
            return replace(approval, status=Status.EXPIRED)
        return approval

    def _decided(self, approval: Approval, status: Status, by: str) -> Approval:
        return replace(approval, status=status, decided_at=self._now(), decided_by=by)


def _new_id() -> str:
    letters = base64.b32encode(secrets.token_bytes(_ID_LETTERS)).decode().lower()
    return f"ap-{letters[:_ID_LETTERS]}"
