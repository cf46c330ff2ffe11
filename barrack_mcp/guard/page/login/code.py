"""Signs people in by the identity provider: an authorization code with PKCE, and an ID token that is verified."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit

from pydantic import SecretStr

from barrack_mcp.api.http.fetch import FetchError, fetch
from barrack_mcp.api.http.network import Network
from barrack_mcp.config.identity import Identities, Identity, UnknownYetError
from barrack_mcp.guard.page.login.session import Seals

BEGUN_S: Final = 600.0
"""For how long somebody may take to sign in at the provider."""
_BYTES: Final = 32
_SECONDS: Final = 10.0
_MOST: Final = 256 * 1024
_PURPOSE: Final = "sign-in"
_SCOPE: Final = "openid profile email"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Client:
    """What the identity provider knows the page by.

    Attributes:
        issuer: The provider, as the operator names it.
        id: The client's id.
        secret: What the client shows beside the code; None for a public client, for which PKCE is enough.
        network: The way out.
    """

    issuer: str
    id: str
    secret: SecretStr | None = None
    network: Network | None = None

    @property
    def bound(self) -> str:
        """What a session is tied to: who signs in by another client or provider signs in anew."""
        return f"{self.issuer} {self.id}"


class CodeFlow:
    """Leads a browser to the identity provider, and finds out who came back.

    What belongs to one sign-in travels in a sealed cookie, so that it may end at another replica than it began at.

    Args:
        identities: Knows where the provider is, and verifies what it says.
        client: What the provider knows this page by.
        callback: The page's address to which the provider leads back.
        seals: Seals the cookie.
    """

    def __init__(self, identities: Identities, *, client: Client, callback: str, seals: Seals) -> None:
        self._identities = identities
        self.client = client
        self._callback = callback
        self._seals = seals

    async def begin(self, to: str, *, now: float) -> tuple[str, str]:
        """Begin a sign-in: answers where to lead the browser, and what its cookie holds meanwhile.

        Args:
            to: The request to open at the end.
            now: Seconds since 1970.

        Raises:
            UnknownYetError: The provider doesn't answer, or doesn't say where people sign in.
        """
        places = await self._identities.places()
        state, nonce, verifier = (secrets.token_urlsafe(_BYTES) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.client.id,
            "redirect_uri": self._callback,
            "scope": _SCOPE,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        carried = {"state": state, "nonce": nonce, "verifier": verifier, "to": to}
        joined = "&" if urlsplit(places.authorization).query else "?"
        return (
            f"{places.authorization}{joined}{urlencode(query)}",
            self._seals.seal(_PURPOSE, carried, until=now + BEGUN_S),
        )

    def read(self, sealed: str, state: str) -> Mapping[str, str] | None:
        """Read what a browser carries of a sign-in that it began; None if it began none that ends with this state."""
        carried = self._seals.open(_PURPOSE, sealed)
        if carried is None or not hmac.compare_digest(_bytes(carried["state"]), _bytes(state)):
            return None
        return carried

    async def finish(self, carried: Mapping[str, str], *, code: str, issuer: str | None) -> Identity | None:
        """Find out who came back; None if the provider doesn't say so of anybody.

        Args:
            carried: What `read` found.
            code: What the provider sent along.
            issuer: Who says to have sent it; None where that isn't said.

        Raises:
            UnknownYetError: The provider doesn't answer.
        """
        places = await self._identities.places()
        if issuer is not None and issuer != places.issuer:
            return None
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._callback,
            "client_id": self.client.id,
            "code_verifier": carried["verifier"],
        }
        if self.client.secret is not None:
            form["client_secret"] = self.client.secret.get_secret_value()
        try:
            told = await fetch(places.token, form=form, seconds=_SECONDS, most=_MOST, network=self.client.network)
            token = json.loads(told)["id_token"]
        except FetchError as error:
            _log.warning("A code of the identity provider could not be exchanged: %s", error)
            if not error.reached:
                raise UnknownYetError(_SILENT) from None
            return None
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        if not isinstance(token, str):
            return None
        return await self._identities.of_id_token(token, client_id=self.client.id, nonce=carried["nonce"])


_SILENT: Final = "The identity provider doesn't answer, so nobody can sign in by it now. Try again in a while."


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
