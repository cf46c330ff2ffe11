"""An OpenAPI document of the API's own: its operations, with what each takes and answers, whatever its style."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final
from urllib.parse import urlsplit

import anyio

from barrack_mcp.api.http.fetch import FetchError, fetch
from barrack_mcp.api.http.network import Network
from barrack_mcp.api.openapi.export import RESULT, as_text, export
from barrack_mcp.api.openapi.parsing import DocumentError, parse
from barrack_mcp.api.openapi.schemas import UNKNOWN, Schemas, Shape
from barrack_mcp.api.wire.overrides import METHODS
from barrack_mcp.api.wire.shape import JsonValue
from barrack_mcp.catalogue import BY_TOOL, INFERRED, JsonObject

__all__ = [
    "Auth",
    "Document",
    "DocumentError",
    "FetchError",
    "Parameter",
    "TheirOperation",
    "document_from",
    "ours",
    "read",
]

MAX_OPERATIONS: Final = 5_000
_PLACES: Final = ("path", "query", "header", "cookie")
_GOING: Final = ("deprecated", "obsolete")
"""What Apidog marks an operation with that is not for use any more."""
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
        origin: The page or address that says all this, where it is not the document itself.
        status: What the document marks it as, such as `developing`; empty if it is released or nothing is said.
        doubt: Why the document's own words send a person to look before it counts; empty if they don't.
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
    origin: str = ""
    status: str = ""
    doubt: str = ""

    @property
    def name(self) -> str:
        """Method and path, as a person says it."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Document:
    """A document, read.

    Attributes:
        name: The file's name or address.
        url: The address of the server in production, else of the first, if it is a whole one.
        prefix: What stands before each path, where that server is given as a path.
        auth: How the key travels, where the document says it.
        operations: In the document's order.
        notes: What is broken or odd in it and was passed over; the rest is used.
    """

    name: str
    url: str | None = None
    prefix: str = ""
    auth: Auth | None = None
    operations: tuple[TheirOperation, ...] = ()
    notes: list[str] = field(default_factory=list)


def read(raw: bytes, name: str) -> Document:
    """Read an OpenAPI 3.0 or 3.1 document, JSON or YAML; what is broken in it is noted, and the rest is read.

    Args:
        raw: Its bytes.
        name: Its file name or address, for messages.

    Raises:
        DocumentError: There is nothing to read in it; one sentence on why.
    """
    parsed = parse(raw, name)
    root = parsed.value
    if not isinstance(root, dict):
        raise DocumentError(f"{name} is no OpenAPI document: an object is expected at its top.")
    _check_version(root, name)
    schemas = Schemas(root, parsed.notes)
    operations = tuple(_operations(root, schemas))
    if not operations:
        raise DocumentError(f"{name}: paths holds no operation, so there is nothing to compare.")
    if len(operations) > MAX_OPERATIONS:
        raise DocumentError(f"{name}: paths holds more than {MAX_OPERATIONS} operations; give this API's alone.")
    url, prefix = _server(root, schemas)
    return Document(
        name=name, url=url, prefix=prefix, auth=_auth(root, schemas), operations=operations, notes=parsed.notes
    )


async def document_from(source: str, *, network: Network | None = None) -> Document:
    """Read an OpenAPI document from a file or from its address.

    Args:
        source: The one or the other.
        network: The way out; directly, trusting the system's certificates, if None.

    Raises:
        DocumentError: There is nothing to read in it, or it can't be read.
        FetchError: Its address gives nothing.
    """
    if "://" in source:
        return read(await fetch(source, network=network), source.partition("?")[0])
    try:
        raw = await anyio.Path(source).read_bytes()
    except OSError as error:
        raise DocumentError(f"{source} can't be read ({error.strerror}).") from None
    return read(raw, source)


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
    for path, said in schemas.table(root.get("paths"), "paths").items():
        where = f"paths/{path}"
        if path.startswith("/"):
            item = schemas.table(said, where)
            shared = _parameters(item, where, schemas)
            for method in METHODS:
                if item.get(method.lower()) is not None:
                    yield _operation(item[method.lower()], method, path, shared, schemas)
        elif not path.startswith("x-"):
            schemas.note(where, "does not begin with /")


def _operation(
    value: JsonValue, method: str, path: str, shared: tuple[Parameter, ...], schemas: Schemas
) -> TheirOperation:
    where = f"paths/{path}/{method.lower()}"
    said = schemas.table(value, where)
    own = {(each.name, each.place): each for each in (*shared, *_parameters(said, where, schemas))}
    body, form = _body(said, where, schemas)
    status = str(said.get("x-apidog-status") or "").strip().lower()
    gone = said.get("deprecated") is True or status in _GOING
    return TheirOperation(
        method=method,
        path=path,
        tags=_tags(said),
        summary=str(said.get("summary") or ""),
        operation_id=str(said.get("operationId") or ""),
        parameters=tuple(own.values()),
        body=body,
        form=form,
        answer=_answer(said, where, schemas),
        result=said.get(RESULT),
        inferred=said.get("x-provenance") == INFERRED,
        status="" if status == "released" else status,
        doubt="the document calls it deprecated" if gone else "",
    )


def _tags(operation: JsonObject) -> tuple[str, ...]:
    """Its groups: tags, and the folders in which an editor such as Apidog keeps it."""
    said, folder = operation.get("tags"), operation.get("x-apidog-folder")
    tags = [str(tag) for tag in said] if isinstance(said, list) else []
    folders = [part.strip() for part in folder.split("/")] if isinstance(folder, str) else []
    return tuple(dict.fromkeys(tag for tag in (*tags, *folders) if tag.strip()))


def _parameters(holder: JsonObject, where: str, schemas: Schemas) -> tuple[Parameter, ...]:
    found = []
    for index, value in enumerate(schemas.rows(holder, "parameters", where)):
        at = f"{where}/parameters/{index}"
        said = schemas.table(value, at)
        name, place = said.get("name"), said.get("in")
        if not isinstance(name, str) or not name:
            schemas.note(f"{at}/name", "is missing or no text")
        elif place not in _PLACES:
            schemas.note(f"{at}/in", f"must be one of {', '.join(_PLACES)}")
        else:
            shape = schemas.shape(said.get("schema", _schema_of(said.get("content"))), f"{at}/schema")
            words = str(said.get("description") or shape.description)
            required = place == "path" or said.get("required") is True
            found.append(Parameter(name, place, required, replace(shape, description=words)))
    return tuple(found)


def _schema_of(content: JsonValue) -> JsonValue:
    """The schema of the JSON among several kinds of content; None if there is none."""
    for kind, media in content.items() if isinstance(content, dict) else ():
        if isinstance(media, dict) and ("json" in kind.lower() or kind == "*/*"):
            return media.get("schema", {})
    return None


def _body(operation: JsonObject, where: str, schemas: Schemas) -> tuple[Shape | None, bool]:
    """What an operation takes, and whether it takes a form and no JSON."""
    where = f"{where}/requestBody"
    content = schemas.table(schemas.table(operation.get("requestBody"), where).get("content"), f"{where}/content")
    schema = _schema_of(content)
    if schema is not None:
        return schemas.shape(schema, where, left_out="readOnly"), False
    forms = [media for kind, media in content.items() if kind.partition(";")[0].strip().lower() in _FORMS]
    if not forms:
        return None, False
    return schemas.shape(schemas.table(forms[0], where).get("schema"), where, left_out="readOnly"), True


def _answer(operation: JsonObject, where: str, schemas: Schemas) -> Shape | None:
    where = f"{where}/responses"
    responses = schemas.table(operation.get("responses"), where)
    successes = sorted(status for status in responses if status.startswith("2"))
    for status in (*successes, "default"):
        response = schemas.table(responses.get(status), f"{where}/{status}")
        if (schema := _schema_of(response.get("content"))) is not None:
            return schemas.shape(schema, f"{where}/{status}", left_out="writeOnly")
    return UNKNOWN if successes else None


def _server(root: JsonObject, schemas: Schemas) -> tuple[str | None, str]:
    """The whole address of the server in production, else of the first, or the path that it puts before all others."""
    servers = root.get("servers")
    known = [
        each for each in (servers if isinstance(servers, list) else ()) if isinstance(each, dict) and each.get("url")
    ]
    # where several are named for what they are, the one that is in production comes first
    known.sort(key=lambda each: "prod" not in str(each.get("description")).lower())
    address = known[0]["url"] if known else None
    if not isinstance(address, str):
        return None, ""
    if address.startswith("/") and "{" not in address:
        return None, address.rstrip("/")
    try:
        whole = "{" not in address and bool(urlsplit(address).hostname)
    except ValueError:
        whole = False
    if whole:
        return address.rstrip("/"), ""
    schemas.note("servers/0/url", "is no whole address, so the base URL stays as it is set")
    return None, ""


def _auth(root: JsonObject, schemas: Schemas) -> Auth | None:
    where = "components/securitySchemes"
    schemes = schemas.table(schemas.table(root.get("components"), "components").get("securitySchemes"), where)
    wanted = [name for needs in _needs(root) for need in needs if isinstance(need, dict) for name in need]
    for name in (*(name for name in wanted if name in schemes), *schemes):
        if (auth := _header(schemas.table(schemes[name], f"{where}/{name}"))) is not None:
            return auth
    return None


def _needs(root: JsonObject) -> Iterator[list[JsonValue]]:
    """What the whole document says that its calls need, then what each operation says for itself."""
    paths = root.get("paths")
    items = [item for item in (paths.values() if isinstance(paths, dict) else ()) if isinstance(item, dict)]
    for holder in (root, *(item.get(method.lower()) for item in items for method in METHODS)):
        needs = holder.get("security") if isinstance(holder, dict) else None
        if isinstance(needs, list):
            yield needs


def _header(scheme: JsonObject) -> Auth | None:
    kind, name = str(scheme.get("type")).lower(), scheme.get("name")
    if kind == "bearer" or (kind == "http" and str(scheme.get("scheme")).lower() == "bearer"):
        return Auth("Authorization", "Bearer {key}")
    if kind != "apikey" or scheme.get("in") != "header" or not isinstance(name, str):
        return None
    if name.lower() != "authorization":
        return Auth(name, "{key}")
    # Django REST framework describes its own scheme in words only
    words = str(scheme.get("description") or "")
    prefix = next((word for word in ("Token", "Api-Key", "Bearer") if word.lower() in words.lower()), "Bearer")
    return Auth("Authorization", f"{prefix} {{key}}")
