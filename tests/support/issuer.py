"""An identity provider: signs tokens, serves its keys, and signs whoever comes in by a code with PKCE.

Served in this process by `listening(issuer.app)`, or as a process of its own: `python tests/support/issuer.py PORT
AUDIENCE`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import sys
import time
from collections.abc import Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import urlencode

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

AUDIENCE: Final = "https://bot.example.com/mcp"


@cache
def private_key(algorithm: str, name: str = "") -> Any:
    """Make a key of an algorithm's kind; the same for the same name."""
    assert isinstance(name, str)
    if algorithm.startswith(("RS", "PS")):
        return rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    if algorithm.startswith("ES"):
        return ec.generate_private_key({"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1()}[algorithm])
    return ed25519.Ed25519PrivateKey.generate()


class Issuer:
    """An identity provider.

    Attributes:
        url: Its name; set once it is served.
        keys: What it serves, by key id: algorithm and private key.
        asked: The paths that were asked for, in order.
        down: Whether it answers nothing but 503.
        signs_in: Who is signed in by whoever comes, in claims.
        audience: What tokens name as theirs, whatever a client asks for; that if None.
    """

    def __init__(self, *algorithms: str) -> None:
        self.url = ""
        self.keys = {f"k-{each}": (each, private_key(each)) for each in algorithms or ("RS256",)}
        self.asked: list[str] = []
        self.down = False
        self.signs_in: dict[str, Any] = {"sub": "ada"}
        self.audience: str | None = None
        self._codes: dict[str, Mapping[str, str]] = {}
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._describe),
                Route("/keys", self._keys),
                Route("/register", self._register, methods=["POST"]),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/mint", self._mint, methods=["POST"]),
            ]
        )

    def rotate(self, name: str, algorithm: str = "RS256") -> None:
        """Sign with another key from now on."""
        self.keys = {name: (algorithm, private_key(algorithm, name))}

    def token(self, *, kid: str | None = None, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """Sign a token for ada, as the server wants it but for what is given; a claim of None is left out.

        Args:
            kid: The key to sign with; the first if None.
            header: Fields of the header; None leaves one out.
            claims: Claims.
        """
        kid = kid or next(iter(self.keys))
        algorithm, key = self.keys[kid]
        whole = {"iss": self.url, "aud": AUDIENCE, **self.signs_in, **claims}
        return sign(key, algorithm, whole, {"kid": kid, **(header or {})})

    async def _describe(self, request: Request) -> Response:
        if self._hears(request):
            return Response(status_code=503)
        return JSONResponse(
            {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/keys",
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "registration_endpoint": f"{self.url}/register",
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["none"],
            }
        )

    async def _keys(self, request: Request) -> Response:
        if self._hears(request):
            return Response(status_code=503)
        return JSONResponse({"keys": [public(kid, *key) for kid, key in self.keys.items()]})

    async def _register(self, request: Request) -> Response:
        self._hears(request)
        return JSONResponse({**await request.json(), "client_id": "registered"}, 201)

    async def _authorize(self, request: Request) -> Response:
        """Sign whoever comes in; a page would ask them for a password."""
        self._hears(request)
        asked = dict(request.query_params)
        code = secrets.token_urlsafe()
        self._codes[code] = asked
        told = {"code": code, "state": asked.get("state", "")}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(told)}", 302)

    async def _token(self, request: Request) -> Response:
        self._hears(request)
        form = dict(await request.form())
        asked = self._codes.pop(str(form.get("code")), None)
        proof = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
        if asked is None or base64.urlsafe_b64encode(proof).rstrip(b"=").decode() != asked.get("code_challenge"):
            return JSONResponse({"error": "invalid_grant"}, 400)
        client = asked["client_id"]
        audience = self.audience or asked.get("resource", AUDIENCE)
        told = {
            "access_token": self.token(aud=audience, scope=asked.get("scope"), azp=client),
            "id_token": self.token(aud=client, nonce=asked.get("nonce")),
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": asked.get("scope", ""),
        }
        return JSONResponse(told, headers={"Cache-Control": "no-store"})

    async def _mint(self, request: Request) -> Response:
        """Sign whatever is asked for; no real provider would."""
        return JSONResponse({"access_token": self.token(**await request.json())})

    def _hears(self, request: Request) -> bool:
        self.asked.append(request.url.path)
        return self.down


def sign(key: Any, algorithm: str, claims: Mapping[str, Any], header: Mapping[str, Any] | None = None) -> str:
    """Sign claims; good for five minutes unless they say otherwise, and what is None is left out."""
    now = int(time.time())
    whole = {"iat": now, "nbf": now, "exp": now + 300, **claims}
    said = {name: value for name, value in whole.items() if value is not None}
    told = {name: value for name, value in (header or {}).items() if value is not None}
    return jwt.encode(said, key, algorithm=algorithm, headers=told)


def unsigned(claims: Mapping[str, Any], header: Mapping[str, Any], signature: bytes = b"") -> str:
    """Write a token whose header says what it likes."""
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def keyed(secret: bytes, claims: Mapping[str, Any], header: Mapping[str, Any]) -> str:
    """Sign with HS256 and any secret at all, such as a key that everybody knows."""
    text = unsigned(claims, {"alg": "HS256", "typ": "JWT", **header}).rstrip(".")
    return f"{text}.{base64.urlsafe_b64encode(hmac.digest(secret, text.encode(), 'sha256')).rstrip(b'=').decode()}"


def public(kid: str, algorithm: str, key: Any) -> dict[str, Any]:
    """Write a key as a key set has it."""
    told: dict[str, Any] = get_default_algorithms()[algorithm].to_jwk(key.public_key(), as_dict=True)
    return {**told, "kid": kid, "alg": algorithm, "use": "sig"}


if __name__ == "__main__":
    issuer = Issuer()
    issuer.url, issuer.audience = f"http://127.0.0.1:{sys.argv[1]}", sys.argv[2]
    uvicorn.run(issuer.app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
