"""Lets a caller bring an API key of their own, where the operator allows it; it is never written down."""

from __future__ import annotations

from typing import Any, Final

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_REQUEST
from pydantic import SecretStr

from barrack_mcp.config.callers import Callers, CallersError
from barrack_mcp.config.keys import Keys, is_key
from barrack_mcp.server.callers import LOCAL, scope_of, who_asks
from barrack_mcp.server.callers.accounts import ACCOUNT, Accounts, FullError
from barrack_mcp.server.watch import NOBODY, Watch

HEADER: Final = "X-Barrack-Api-Key"

_NOT_ALLOWED: Final = (
    f"{HEADER}: this server takes no API keys from callers, and the call was for that key's account. Take the header "
    "out, or ask the operator for BARRACK_KEYS_FROM_CALLERS. Nothing was done."
)
_HAS_ONE: Final = (
    f"{HEADER}: the operator gave this caller an API key already, and which account was meant can't be told. Take the "
    "header out. Nothing was done."
)
_NO_KEY: Final = f"{HEADER} holds no one API key; copy it again. Nothing was done."
_FULL: Final = "Too many callers with API keys of their own are busy here. Nothing was done; try again in a while."
_UNKNOWN: Final = "Which account a call is for can't be known now; tell the operator. Nothing was done."


class OwnKeys:
    """Finds for each request the account of the caller's own key: from the operator's file, or from the request.

    A key that comes along where none is expected is refused, not passed over: its bearer means their own account, and
    would spend another's money.

    Args:
        accounts: The accounts.
        callers: Who may call, where there is a login.
        keys: The keys of callers, by the operator's file; None if there is none.
        brought: Whether a caller may bring one.
        watch: Told where there is no room for one more account.
    """

    def __init__(
        self, accounts: Accounts, callers: Callers | None, keys: Keys | None, *, brought: bool, watch: Watch = NOBODY
    ) -> None:
        self._accounts, self._callers, self._keys, self._brought = accounts, callers, keys, brought
        self._watch = watch

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Take the account of a request before it is answered, and let it go afterwards."""
        if ctx.request is None or ctx.request_id is None:
            return await call_next(ctx)
        key = self._find(ctx)
        if key is None:
            return await call_next(ctx)
        try:
            async with self._accounts.of(key) as account:
                scope_of(ctx)[ACCOUNT] = account
                return await call_next(ctx)
        except FullError:
            self._watch.busy("accounts")
            raise MCPError(INTERNAL_ERROR, _FULL) from None

    def _find(self, context: ServerRequestContext[Any, Any]) -> SecretStr | None:
        who = LOCAL if self._callers is None else who_asks(scope_of(context))
        try:
            own = None if self._keys is None else self._keys.of(who.name)
            # who comes by an identity provider is told from others by the subject, and called by a name in the file
            called = None if self._callers is None else self._callers.name_of(who)
            if own is None and self._keys is not None and called is not None:
                own = self._keys.of(called)
        except CallersError:
            raise MCPError(INTERNAL_ERROR, _UNKNOWN) from None
        brought = context.request.headers.getlist(HEADER) if context.request is not None else []
        if not brought:
            return own
        if not self._brought:
            raise MCPError(INVALID_REQUEST, _NOT_ALLOWED)
        if own is not None:
            raise MCPError(INVALID_REQUEST, _HAS_ONE)
        if len(brought) > 1 or not is_key(brought[0]):
            raise MCPError(INVALID_REQUEST, _NO_KEY)
        return SecretStr(brought[0].strip())
