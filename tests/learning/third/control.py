"""What a test asks and says beside the API: which requests came, what took effect, what is switched on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

PLACE = "/-/control/"


@dataclass
class Switches:
    """How the third Barrack behaves now."""

    key: str = "third.canary-5d01"
    reader: str = "reader.canary-77aa"
    schema: bool = True
    titles: bool = True
    requests_left: int | None = None
    requests: list[list[Any]] = field(default_factory=list)


SWITCHES = Switches()


def remembering(answer: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Remember method, path, whether a token came and the status of each request to the API."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = answer(request)
        if request.path != PLACE:
            token = "X-Api-Token" in request.headers
            SWITCHES.requests.append([request.method, request.get_full_path(), token, response.status_code])
        return response

    return middleware


def control(request: HttpRequest) -> HttpResponse:
    """GET tells, POST sets the world back and switches."""
    from tests.learning.third.world import renewed, told  # noqa: PLC0415 - models load after the settings

    if request.method == "POST":
        for name, value in (asdict(Switches()) | json.loads(request.body or b"{}")).items():
            setattr(SWITCHES, name, value)
        renewed()
    return JsonResponse({"requests": SWITCHES.requests, **told()})
