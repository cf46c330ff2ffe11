"""An OpenAPI document of the API's own: its operations, with what each takes and answers, whatever its style."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

from barrack_mcp.api.openapi.export import RESULT, as_text, export
from barrack_mcp.api.openapi.parsing import DocumentError, parse
from barrack_mcp.api.openapi.schemas import UNKNOWN, Schemas, Shape
from barrack_mcp.api.wire.overrides import METHODS
from barrack_mcp.api.wire.shape import JsonValue
from barrack_mcp.catalogue import BY_TOOL, INFERRED, JsonObject

__all__ = ["Auth", "Document", "DocumentError", "Parameter", "TheirOperation", "ours", "read"]

MAX_OPERATIONS: Final = 5_000
_PLACES: Final = ("path", "query", "header", "cookie")
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True, slots=True)
class Auth:
    """How the key travels."""

    header: str
    template: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """What stands in the path, the query, a header or a cookie."""

    name: str
    place: str
    required: bool
    shape: Shape


@dataclass(frozen=True)
class TheirOperation:
    """One operation as the document has it.

    Attributes:
        method: In capitals.
        path: As the document writes it.
        tags: Its groups.
        summary: Its title.
        operation_id: Its id; empty if it has none.
        parameters: Those of the path item first, unless the operation says them anew.
        body: What it takes as JSON.
        form: Whether it takes a form and no JSON.
        answer: Of its first success.
        result: The root of that answer, where the document says it (ours does).
        inferred: Whether the document itself calls it a guess (ours does).
    """

    method: str
    path: str
    tags: tuple[str, ...] = ()
    summary: str = ""
    operation_id: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Shape | None = None
    form: bool = False
    answer: Shape | None = None
    result: str | None = None
    inferred: bool = False

    @property
    def name(self) -> str:
        """Method and path, as a person says it."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Document:
    """A document, read.

    Attributes:
        name: The file's name or address.
        url: The first server's address, if it is a whole one.
        prefix: What stands before each path, where the first server is given as a path.
        auth: How the key travels, where the document says it.
        operations: In the document's order.
        notes: Oddities that were passed over.
    """

    name: str
    url: str | None = None
    prefix: str = ""
    auth: Auth | None = None
    operations: tuple[TheirOperation, ...] = ()
    notes: list[str] = field(default_factory=list)


def read(raw: bytes, name: str) -> Document:
    """Read an OpenAPI 3.0 or 3.1 document, JSON or YAML.

    Args:
        raw: Its bytes.
        name: Its file name or address, for messages.

    Raises:
        DocumentError: One sentence on what is wrong and where.
    """
    parsed = parse(raw, name)
    root = parsed.value
    if not isinstance(root, dict):
        raise DocumentError(f"{name} is no OpenAPI document: an object is expected at its top.")
    schemas = Schemas(root, name, parsed.notes)
    _check_version(root, name)
    operations = tuple(_operations(root, schemas))
    if not operations:
        raise DocumentError(f"{name}: paths holds no operation, so there is nothing to compare.")
    if len(operations) > MAX_OPERATIONS:
        raise DocumentError(f"{name}: paths holds more than {MAX_OPERATIONS} operations; give this API's alone.")
    url, prefix = _server(root, schemas)
    return Document(
        name=name, url=url, prefix=prefix, auth=_auth(root, schemas), operations=operations, notes=parsed.notes
    )


@cache
def ours() -> Document:
    """Our own catalogue, read like anyone's document; its operations in the catalogue's order."""
    document = read(as_text(export()).encode(), "our catalogue")
    order = {tool: index for index, tool in enumerate(BY_TOOL)}
    return replace(document, operations=tuple(sorted(document.operations, key=lambda each: order[each.operation_id])))


def _check_version(root: JsonObject, name: str) -> None:
    if "swagger" in root:
        raise DocumentError(f"{name} is a Swagger 2 document; convert it to OpenAPI 3 first.")
    version = root.get("openapi")
    if version is None:
        raise DocumentError(f"{name} is no OpenAPI document: openapi, its version, is missing at the top.")
    if not str(version).startswith("3."):
        raise DocumentError(f"{name}: openapi names a version that we don't read; 3.0 and 3.1 we do.")


def _operations(root: JsonObject, schemas: Schemas) -> Iterator[TheirOperation]:
    paths = root.get("paths")
    if paths is None:
        raise schemas.wrong("paths", "is missing")
    if not isinstance(paths, dict):
        raise schemas.wrong("paths", "is no object")
    for path, said in paths.items():
        if str(path).startswith("x-"):
            continue
        where = f"paths/{path}"
        if not str(path).startswith("/"):
            raise schemas.wrong(where, "does not begin with /")
        item = schemas.resolved(said, where)
        if item is None:
            continue
        if not isinstance(item, dict):
            raise schemas.wrong(where, "is no object")
        shared = _parameters(item, where, schemas)
        for method in METHODS:
            operation = item.get(method.lower())
            if operation is not None:
                yield _operation(operation, method, str(path), shared, schemas)


def _operation(
    said: JsonValue, method: str, path: str, shared: tuple[Parameter, ...], schemas: Schemas
) -> TheirOperation:
    where = f"paths/{path}/{method.lower()}"
    if not isinstance(said, dict):
        raise schemas.wrong(where, "is no object")
    own = {(each.name, each.place): each for each in (*shared, *_parameters(said, where, schemas))}
    body, form = _body(said, where, schemas)
    tags = said.get("tags")
    return TheirOperation(
        method=method,
        path=path,
        tags=tuple(str(tag) for tag in tags) if isinstance(tags, list) else (),
        summary=str(said.get("summary") or ""),
        operation_id=str(said.get("operationId") or ""),
        parameters=tuple(own.values()),
        body=body,
        form=form,
        answer=_answer(said, where, schemas),
        result=said.get(RESULT),
        inferred=said.get("x-provenance") == INFERRED,
    )


def _parameters(holder: JsonObject, where: str, schemas: Schemas) -> tuple[Parameter, ...]:
    listed = holder.get("parameters")
    if listed is None:
        return ()
    if not isinstance(listed, list):
        raise schemas.wrong(f"{where}/parameters", "is no list")
    found = []
    for index, said in enumerate(listed):
        at = f"{where}/parameters/{index}"
        parameter = schemas.resolved(said, at)
        if parameter is None:
            continue
        if not isinstance(parameter, dict):
            raise schemas.wrong(at, "is no object")
        name, place = parameter.get("name"), parameter.get("in")
        if not isinstance(name, str) or not name:
            raise schemas.wrong(f"{at}/name", "is missing or no text")
        if place not in _PLACES:
            raise schemas.wrong(f"{at}/in", f"must be one of {', '.join(_PLACES)}")
        schema = parameter.get("schema", _schema_of(parameter.get("content")))
        shape = schemas.shape(schema, f"{at}/schema")
        words = str(parameter.get("description") or shape.description)
        required = place == "path" or parameter.get("required") is True
        found.append(Parameter(name, str(place), required, replace(shape, description=words)))
    return tuple(found)


def _schema_of(content: JsonValue) -> JsonValue:
    """The schema of the JSON among several kinds of content; None if there is none."""
    if not isinstance(content, dict):
        return None
    for kind, media in content.items():
        if isinstance(media, dict) and ("json" in str(kind).lower() or kind == "*/*"):
            return media.get("schema", {})
    return None


def _body(operation: JsonObject, where: str, schemas: Schemas) -> tuple[Shape | None, bool]:
    where = f"{where}/requestBody"
    body = schemas.resolved(operation.get("requestBody"), where)
    if body is None:
        return None, False
    if not isinstance(body, dict):
        raise schemas.wrong(where, "is no object")
    content = body.get("content")
    if content is not None and not isinstance(content, dict):
        raise schemas.wrong(f"{where}/content", "is no object")
    schema = _schema_of(content)
    forms = [media for kind, media in (content or {}).items() if str(kind).split(";")[0].strip().lower() in _FORMS]
    if schema is None and forms and isinstance(forms[0], dict):
        return schemas.shape(forms[0].get("schema"), where), True
    return (schemas.shape(schema, where) if schema is not None else None), False


def _answer(operation: JsonObject, where: str, schemas: Schemas) -> Shape | None:
    where = f"{where}/responses"
    responses = operation.get("responses")
    if responses is None:
        return None
    if not isinstance(responses, dict):
        raise schemas.wrong(where, "is no object")
    successes = sorted(str(status) for status in responses if str(status).startswith("2"))
    for status in (*successes, "default"):
        response = schemas.resolved(responses.get(status), f"{where}/{status}")
        if response is not None and not isinstance(response, dict):
            raise schemas.wrong(f"{where}/{status}", "is no object")
        schema = _schema_of(response.get("content")) if response else None
        if schema is not None:
            return schemas.shape(schema, f"{where}/{status}")
        if status != "default" and response is not None:
            return UNKNOWN
    return None


def _server(root: JsonObject, schemas: Schemas) -> tuple[str | None, str]:
    """The first server's whole address, or the path that it puts before all others."""
    servers = root.get("servers")
    if not isinstance(servers, list) or not servers:
        return None, ""
    address = servers[0].get("url") if isinstance(servers[0], dict) else None
    if not isinstance(address, str):
        return None, ""
    if address.startswith("/") and "{" not in address:
        return None, address.rstrip("/")
    try:
        whole = "{" not in address and bool(urlsplit(address).hostname)
    except ValueError:
        whole = False
    if not whole:
        schemas.note("servers/0/url is no whole address, so the base URL stays as it is set.")
        return None, ""
    return address.rstrip("/"), ""


def _auth(root: JsonObject, schemas: Schemas) -> Auth | None:
    components = root.get("components")
    schemes = components.get("securitySchemes") if isinstance(components, dict) else None
    if not isinstance(schemes, dict):
        return None
    wanted = [name for need in root.get("security") or () if isinstance(need, dict) for name in need]
    for name in (*(name for name in wanted if name in schemes), *schemes):
        scheme = schemas.resolved(schemes[name], f"components/securitySchemes/{name}")
        if isinstance(scheme, dict) and (auth := _header(scheme)) is not None:
            return auth
    return None


def _header(scheme: dict[str, Any]) -> Auth | None:
    if scheme.get("type") == "http" and str(scheme.get("scheme")).lower() == "bearer":
        return Auth("Authorization", "Bearer {key}")
    name = scheme.get("name")
    if scheme.get("type") != "apiKey" or scheme.get("in") != "header" or not isinstance(name, str):
        return None
    if name.lower() != "authorization":
        return Auth(name, "{key}")
    # Django REST framework describes its own scheme in words only
    words = str(scheme.get("description") or "")
    prefix = next((word for word in ("Token", "Api-Key", "Bearer") if word.lower() in words.lower()), "Bearer")
    return Auth("Authorization", f"{prefix} {{key}}")
