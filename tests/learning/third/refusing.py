"""In which words the third Barrack refuses: neither Barrack's nor the framework's."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, JsonResponse
from rest_framework.exceptions import NotFound, Throttled, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler


def in_our_words(error: Exception, context: Any) -> Response | None:
    """The framework's refusals in another envelope."""
    if isinstance(error, Http404):
        error = NotFound("There is nothing here.", code="nothing")
    response = exception_handler(error, context)
    if response is None:
        return None
    code = getattr(error, "default_code", "refused")
    if isinstance(error, Throttled):
        text = f"Slow down, please: again in {error.wait:.0f} seconds."
    elif isinstance(error, ValidationError):
        text = "Some of this does not fit."
    else:
        text = str(getattr(error, "detail", error))
    fields = response.data if isinstance(error, ValidationError) else {}
    response.data = {"failure": {"code": code, "message": text, "fields": fields}}
    return response


def nowhere(request: HttpRequest, exception: Exception) -> JsonResponse:
    """What is answered to a path that there isn't."""
    del request, exception
    return JsonResponse({"failure": {"code": "nowhere", "message": "We have no such address."}}, status=404)
