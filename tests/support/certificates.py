"""Certificates of the system that were read aren't read again.

A client of the tests that is given nothing else reads all of them, a hundred and some, when it is made, though it will
ask a server on this machine over plain HTTP: twenty milliseconds each time, more than most of these tests take. The
product gives its own context to each client of its own, and reads them as it always does.
"""

from __future__ import annotations

import os
import ssl
from functools import cache
from typing import Any

import httpx2
from httpx2._transports import default as transports

_read = httpx2.create_ssl_context


def once_for_all_clients() -> None:
    """Have clients of this process that trust what the system trusts share what says so."""
    transports.create_ssl_context = _shared  # type: ignore[attr-defined]  # there is no other way to say it for all


def _shared(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:  # noqa: FBT001, FBT002 - as theirs
    if verify is not True or cert is not None:
        return _read(verify=verify, cert=cert, trust_env=trust_env)
    named = tuple(os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")) if trust_env else ()
    return _of_the_system(named, trust_env=trust_env)


@cache
def _of_the_system(named: tuple[str | None, ...], *, trust_env: bool) -> ssl.SSLContext:  # noqa: ARG001 - who reads it sees what it names
    return _read(trust_env=trust_env)
