"""Who may do what, and how often."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from tests.learning.third.control import SWITCHES


class Token(BaseAuthentication):
    """`X-Api-Token: KEY`."""

    def authenticate(self, request: Request) -> tuple[str, str] | None:
        token = request.headers.get("X-Api-Token")
        if token is None:
            return None
        if token not in (SWITCHES.key, SWITCHES.reader):
            raise AuthenticationFailed("We don't know this token.")
        return "somebody", token

    def authenticate_header(self, request: Request) -> str:
        del request
        return "X-Api-Token"


class TokenInTheDocument(OpenApiAuthenticationExtension):
    target_class = Token
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        del auto_schema
        return {"type": "apiKey", "in": "header", "name": "X-Api-Token"}


class MayDoIt(BasePermission):
    """Nothing without a token; reading with the one, everything with the other."""

    message = "Your token does not cover this."

    def has_permission(self, request: Request, view: Any) -> bool:
        del view
        return request.auth == SWITCHES.key or (request.auth == SWITCHES.reader and request.method in SAFE_METHODS)


class Throttle(BaseThrottle):
    """Allows so many requests from now on, as the test says."""

    def allow_request(self, request: Request, view: Any) -> bool:
        del request, view
        if SWITCHES.requests_left is None:
            return True
        SWITCHES.requests_left -= 1
        return SWITCHES.requests_left >= 0

    def wait(self) -> float:
        return 23.0
