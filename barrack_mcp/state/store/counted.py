"""A store whose failures are told to whoever counts them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import cast

from barrack_mcp.state.store.database import StoreError
from barrack_mcp.state.store.store import Store


class _Counted:
    def __init__(self, store: Store, on_error: Callable[[], None]) -> None:
        self._store = store
        self._on_error = on_error

    def __getattr__(self, name: str) -> object:
        step = getattr(self._store, name)
        if not iscoroutinefunction(step):
            return step

        @wraps(step)
        async def told(*args: object, **kwargs: object) -> object:
            try:
                return await step(*args, **kwargs)
            except StoreError:
                self._on_error()
                raise

        return told


def counted(store: Store, on_error: Callable[[], None]) -> Store:
    """Give the same store; each `StoreError` of it is told before it is raised.

    Args:
        store: The store.
        on_error: Is told.
    """
    # every method that reads or writes is one such step, also those that a store will have later
    return cast("Store", _Counted(store, on_error))
