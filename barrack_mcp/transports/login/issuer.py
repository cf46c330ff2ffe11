"""The identity provider: its keys, found and kept as it says, and the tokens that they signed.

Loaded only where one is set: what checks signatures is no small thing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import jwt

from barrack_mcp.api.http import checked_url
from barrack_mcp.api.http.fetch import FetchError, fetch
from barrack_mcp.api.http.network import Network
from barrack_mcp.config.identity import SCOPE, Identity, Proof, UnknownYetError

KINDS: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", frozenset({""}))),
    "ES256": ("EC", frozenset({"P-256"})),
    "ES384": ("EC", frozenset({"P-384"})),
    "ES512": ("EC", frozenset({"P-521"})),
    "EdDSA": ("OKP", frozenset({"Ed25519", "Ed448"})),
}
"""The algorithms of tokens that are read, with the kind and curves of their keys: what checks can't sign."""
LEEWAY_S: Final = 30
"""By how much two clocks may differ."""
BETWEEN_S: Final = 10.0
"""The least time between two times that the provider is asked, whatever tokens come."""
KEPT_S: Final = 3600.0
"""For how long keys are used before they are read again."""
AGAIN_S: Final = 300.0
"""After how long that is tried again where the provider didn't answer; the keys that are known go on."""
_SECONDS: Final = 5.0
_BYTES: Final = 1024 * 1024
_LONGEST: Final = 16_384
"""Characters of a token."""
_MOST_KEYS: Final = 16
"""Keys that one token is held against."""
_NAME_LONGEST: Final = 255
_NAMES: Final = ("email", "preferred_username")
"""Claims by which people go that are no proof of anything."""
_TYPES: Final = frozenset({"", "jwt", "at+jwt", "application/at+jwt"})
"""What a token may call itself: one that ends a session or proves a key is none that lets somebody in."""
_DISCOVERY: Final = "/.well-known/openid-configuration"
_DISCOVERY_OAUTH: Final = "/.well-known/oauth-authorization-server"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Provider:
    """What an identity provider says of itself.

    Attributes:
        issuer: Its name, letter for letter as tokens have it.
        keys: Where its keys stand.
        authorization: Where people sign in; None if it doesn't say.
        token: Where a code is exchanged for tokens; None if it doesn't say.
    """

    issuer: str
    keys: str
    authorization: str | None = None
    token: str | None = None


@dataclass(frozen=True)
class Shown:
    """A token that is good.

    Attributes:
        identity: Whose it is.
        client: The client that it was made for.
        issuer: Who made it.
        expires_at: Until when it is good, in seconds since 1970.
    """

    identity: Identity
    client: str
    issuer: str
    expires_at: int


class Issuer:
    """An identity provider; it is asked when a token first comes, and then seldom.

    Args:
        name: Its issuer, with a slash at the end or without.
        audience: What tokens must name as their audience.
        network: The way out.
        between: The least seconds between two times that it is asked.
    """

    def __init__(self, name: str, *, audience: str, network: Network | None = None, between: float = BETWEEN_S) -> None:
        self.name, self._audience, self._between = name, audience, between
        self._network = network or Network()
        self._reader = jwt.PyJWT({"enforce_minimum_key_length": True})
        self._lock = anyio.Lock()
        self._provider: Provider | None = None
        self._keys: tuple[Mapping[str, Any], ...] = ()
        self._tried_at = self._due_at = float("-inf")
        self._unheard = ""

    async def provider(self) -> Provider:
        """Answer what the provider says of itself.

        Raises:
            UnknownYetError: It doesn't answer.
        """
        if self._provider is None:
            await self._ask(wanted=False)
        if self._provider is None:
            raise UnknownYetError(self._unheard or _UNHEARD)
        return self._provider

    async def look(self) -> tuple[Provider, frozenset[str]]:
        """Ask the provider now, and answer what it says of itself and the algorithms whose tokens its keys can check.

        Raises:
            FetchError: It can't be reached, or doesn't answer what was asked for.
            ValueError: What it answers can't be followed; one sentence.
        """
        provider, keys = await self._read()
        return provider, frozenset(algorithm for algorithm in KINDS if any(_loads(keys, algorithm)))

    async def access(self, token: str) -> Shown | None:
        """Read an access token; None if it is not good here.

        Raises:
            UnknownYetError: The provider doesn't answer, and the key that signed it isn't known.
        """
        claims = await self._claims(token, audience=self._audience)
        return None if claims is None else _shown(claims, scopes=_scopes(claims))

    async def signed_in(self, token: str, *, client_id: str, nonce: str) -> Shown | None:
        """Read an ID token for a client; None if it is not good for the signing in that sent the nonce.

        Raises:
            UnknownYetError: As for `access`.
        """
        claims = await self._claims(token, audience=client_id)
        if claims is None or not nonce or claims.get("nonce") != nonce:
            return None
        if claims.get("azp", client_id) != client_id or (_several(claims.get("aud")) and "azp" not in claims):
            return None
        return _shown(claims, scopes=frozenset())

    async def _claims(self, token: str, *, audience: str) -> Mapping[str, Any] | None:
        if len(token) > _LONGEST or not token.isascii() or token.count(".") != 2:  # noqa: PLR2004 - its three parts
            return None
        try:
            header = jwt.get_unverified_header(token)
        except _WRONG:
            return None
        algorithm, kid = header.get("alg"), header.get("kid")
        # what a header says of keys and of where they are is never followed
        if not isinstance(algorithm, str) or algorithm not in KINDS or "crit" in header or "b64" in header:
            return None
        if str(header.get("typ") or "").lower() not in _TYPES or not isinstance(kid, str | None):
            return None
        for key in (await self._keys_for(algorithm, kid))[:_MOST_KEYS]:
            try:
                return self._reader.decode(
                    token,
                    key=jwt.PyJWK(dict(key), algorithm=algorithm),
                    algorithms=[algorithm],
                    audience=audience,
                    issuer=self._provider.issuer if self._provider is not None else self.name,
                    leeway=LEEWAY_S,
                    options={"require": ["iss", "aud", "exp", "sub"]},
                )
            except _WRONG as error:
                _log.debug("a token of the identity provider is not good: %s", type(error).__name__)
        return None

    async def _keys_for(self, algorithm: str, kid: str | None) -> list[Mapping[str, Any]]:
        """Find the keys that may have signed a token; the provider is asked for those that aren't known."""
        found = list(_fitting(self._keys, algorithm, kid))
        if found and (anyio.current_time() < self._due_at or self._lock.locked()):
            return found
        await self._ask(wanted=not found)
        found = list(_fitting(self._keys, algorithm, kid))
        if not found and self._unheard:
            raise UnknownYetError(self._unheard)
        return found

    async def _ask(self, *, wanted: bool) -> None:
        """Ask the provider, one request at a time and not too often.

        Args:
            wanted: Whether a key is needed that isn't known; else the known ones are due.
        """
        async with self._lock:
            now = anyio.current_time()
            if now - self._tried_at < self._between or (not wanted and self._keys and now < self._due_at):
                return
            self._tried_at = now
            try:
                # whoever asked may go, and others have to wait for another time: it is asked to the end
                with anyio.CancelScope(shield=True):
                    self._provider, self._keys = await self._read()
            except (FetchError, ValueError) as error:
                self._unheard, self._due_at = _UNHEARD, now + AGAIN_S
                _log.warning("The identity provider (BARRACK_OIDC_ISSUER) can't be followed: %s", error)
            else:
                self._unheard, self._due_at = "", now + KEPT_S

    async def _read(self) -> tuple[Provider, tuple[Mapping[str, Any], ...]]:
        provider = await self._discover()
        return provider, _read_keys(await self._fetch(provider.keys))

    async def _discover(self) -> Provider:
        base = self.name.rstrip("/")
        place = urlsplit(base)
        try:
            told = await self._fetch(f"{base}{_DISCOVERY}")
        except FetchError as error:
            if not error.reached:
                raise
            told = await self._fetch(f"{place.scheme}://{place.netloc}{_DISCOVERY_OAUTH}{place.path}")
        told = told if isinstance(told, dict) else {}
        issuer = told.get("issuer")
        if not isinstance(issuer, str) or issuer.rstrip("/") != base:
            raise ValueError("What stands there is about another issuer; set BARRACK_OIDC_ISSUER as it names itself.")
        try:
            keys = checked_url(str(told.get("jwks_uri", "")).partition("?")[0])
        except ValueError:
            raise ValueError("What stands there doesn't say where its keys are (jwks_uri).") from None
        return Provider(
            issuer=issuer,
            keys=str(told["jwks_uri"]) if keys else "",
            authorization=_address(told, "authorization_endpoint"),
            token=_address(told, "token_endpoint"),
        )

    async def _fetch(self, url: str) -> Any:
        text = await fetch(url, seconds=_SECONDS, most=_BYTES, network=self._network)
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("What stands there is no JSON.") from None


_UNHEARD: Final = "The identity provider doesn't answer, so who calls can't be known now. Try again in a while."
_WRONG: Final = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)
"""What reading a token may raise: it is not good, however it is broken."""


def _fitting(keys: Iterable[Mapping[str, Any]], algorithm: str, kid: str | None = None) -> Iterator[Mapping[str, Any]]:
    kind, curves = KINDS[algorithm]
    for key in keys:
        # a token that names no key is held against all that could be it; there are few
        named = kid is None or key.get("kid") == kid
        fits = key.get("kty") == kind and key.get("crv", "") in curves
        if named and fits and key.get("alg", algorithm) == algorithm and key.get("use", "sig") == "sig":
            yield key


def _loads(keys: Iterable[Mapping[str, Any]], algorithm: str) -> Iterator[bool]:
    """Say of each key for an algorithm whether it can be used."""
    for key in _fitting(keys, algorithm):
        try:
            made = jwt.PyJWK(dict(key), algorithm=algorithm)
            yield made.Algorithm.check_key_length(made.key) is None
        except _WRONG:
            yield False


def _read_keys(told: Any) -> tuple[Mapping[str, Any], ...]:
    keys = told.get("keys") if isinstance(told, dict) else None
    if not isinstance(keys, list):
        raise ValueError("Its keys are no list of keys.")  # noqa: TRY004 - what was read is wrong, not the code
    return tuple(key for key in keys if isinstance(key, dict))


def _address(told: Mapping[str, Any], name: str) -> str | None:
    value = told.get(name)
    if not isinstance(value, str):
        return None
    try:
        checked_url(value.partition("?")[0])
    except ValueError:
        return None
    return value


def _several(audience: object) -> bool:
    return isinstance(audience, list) and len(audience) > 1


def _shown(claims: Mapping[str, Any], *, scopes: frozenset[str]) -> Shown | None:
    """Read who it is; None where that can't be written down as it is."""
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= _NAME_LONGEST or not subject.isprintable():
        return None
    groups = claims.get("groups")
    theirs = groups if isinstance(groups, list) else [groups]
    who = Identity(
        subject,
        Proof.ISSUER,
        groups=frozenset(each for each in theirs if isinstance(each, str)),
        scopes=scopes,
        known_as=frozenset(each for name in _NAMES if isinstance(each := claims.get(name), str)),
    )
    client = next((each for each in (claims.get("azp"), claims.get("client_id")) if isinstance(each, str)), "")
    return Shown(who, client, str(claims["iss"]), int(claims["exp"]) + LEEWAY_S)


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """Read what a token is good for; providers write it as one text or as a list, under one of two names."""
    words: list[object] = []
    for each in (claims.get("scope"), claims.get("scp")):
        words += each.split() if isinstance(each, str) else each if isinstance(each, list) else []
    return frozenset(word for word in words if isinstance(word, str) and word.startswith(SCOPE))
