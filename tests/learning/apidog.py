"""A documentation site as Apidog publishes one: an index, and a page of Markdown for each endpoint; and what it serves.

It is written in that form from the document of the second Barrack (tests/contracts/dialect.py), oddities included.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import anyio
import anyio.lowlevel
import yaml
from starlette.types import Receive, Scope, Send

from tests.contracts import dialect
from tests.contracts.other import HEADER, PATHS, Json

SITE = "https://docs.barrack.test"
SERVER = "https://other.example"
FIRST = 27694001
"""The number of the first endpoint's page."""


@cache
def _as_yaml(document: str) -> str:
    """Write a document, given as JSON, as YAML; most pages of most sites are the same, and writing takes longest."""
    return yaml.dump(json.loads(document), Dumper=yaml.SafeDumper, sort_keys=False, allow_unicode=True, width=4096)


@dataclass
class Endpoint:
    """One page, to be changed before it is written."""

    tool: str
    title: str
    folder: str
    number: int
    document: Json
    heading: str = ""
    slug: str = ""
    wrap: Callable[[str], str] = lambda text: f"```yaml\n{text}```\n"

    @property
    def operation(self) -> Json:
        """What the one operation of the document says."""
        ((_, item),) = self.document["paths"].items()
        ((_, said),) = item.items()
        found: Json = said
        return found

    @property
    def path(self) -> str:
        slug = self.slug or self.title.strip().lower().replace(" ", "-")
        return f"/{slug}-{self.number}e0.md"

    @property
    def line(self) -> str:
        return f"- {self.folder} [{self.title}]({SITE}{self.path}): "

    @property
    def markdown(self) -> str:
        text = _as_yaml(json.dumps(self.document))
        return f"# {self.heading or self.title.strip()}\n\n## OpenAPI Specification\n\n{self.wrap(text)}\n"


def endpoints() -> list[Endpoint]:
    """The page of every operation of the second Barrack, in the order of its menu."""
    return [replace(page, document=json.loads(document)) for page, document in _written()]


@cache
def _written() -> list[tuple[Endpoint, str]]:
    """Each page with a copy of its document, as every test changes some."""
    whole = dialect.written(ids=False)
    pages = [_endpoint(number, tool, whole) for number, tool in enumerate(PATHS, start=FIRST)]
    return [(page, json.dumps(page.document)) for page in pages]


def _endpoint(number: int, tool: str, whole: Json) -> Endpoint:
    method, path = PATHS[tool]
    said: Json = copy.deepcopy(whole["paths"][dialect.placed(path)][method.lower()])
    folder = said["tags"][0]
    operation = {
        "summary": said.pop("summary"),
        "deprecated": False,
        "description": "",
        **said,
        "security": [{"ApiKeyAuth": [], "x-apidog": {"required": True, "schemeGroups": [{"id": "abc"}]}}],
        "x-apidog-folder": folder,
        "x-apidog-status": "released",
        "x-run-in-apidog": f"https://app.apidog.example/web/project/1/apis/api-{number}-run",
    }
    for response in operation["responses"].values():
        response |= {"headers": {}, "x-apidog-name": ""}
    return Endpoint(
        tool=tool,
        title=operation["summary"],
        folder=folder,
        number=number,
        document={
            "openapi": "3.0.1",
            "info": {"title": "", "description": "", "version": "1.0.0"},
            "paths": {f"/api{dialect.placed(path)}": {method.lower(): operation}},
            "components": {
                "schemas": dict(_needed(operation, whole["components"]["schemas"])),
                "securitySchemes": {"ApiKeyAuth": {"type": "apikey", "in": "header", "name": HEADER}},
            },
            "servers": [{"url": SERVER, "description": "Prod Env"}],
            "security": [],
        },
    )


def _needed(operation: Json, schemas: Json) -> Iterator[tuple[str, Json]]:
    """The schemas that one endpoint refers to, directly or by others."""
    pending, seen = [operation], set[str]()
    while pending:
        for name in _references(pending.pop()):
            if name not in seen:
                seen.add(name)
                pending.append(schemas[name])
                yield name, {**copy.deepcopy(schemas[name]), "x-apidog-orders": [], "x-apidog-ignore-properties": []}


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(reference := value.get("$ref"), str):
            yield reference.rpartition("/")[2]
        value = list(value.values())
    for inner in value if isinstance(value, list) else ():
        yield from _references(inner)


def make_odd(pages: list[Endpoint]) -> list[Endpoint]:
    """Let each page have one oddity that such sites have, in turn; none of them takes anything from what is said."""
    for number, page in enumerate(pages):
        _ODDITIES[number % len(_ODDITIES)](page)
    return pages


def _aliases(page: Endpoint) -> None:
    anchored = "  schemas:\n    One: &ref_0\n      type: string\n    Other: *ref_0\n"
    page.wrap = lambda text: f"```yaml\n{text.replace('  schemas:' + chr(10), anchored)}```\n"


def _blanks_in_names(page: Endpoint) -> None:
    text = json.dumps(page.document)
    for name in page.document["components"]["schemas"]:
        text = text.replace(f'"#/components/schemas/{name}"', f'"#/components/schemas/The {name} 数据"')
        text = text.replace(f'"{name}": {{', f'"The {name} 数据": {{')
    page.document = json.loads(text)


def _bearing_headers(page: Endpoint) -> None:
    given = [
        {"name": name, "in": "header", "required": True, "example": "x", "schema": {"type": "string"}}
        for name in ("Authorization", "Content-Type", HEADER)
    ]
    page.operation.setdefault("parameters", []).extend(given)


def _nothing_said_of_the_whole(page: Endpoint) -> None:
    page.document |= {"servers": [], "security": []}
    page.document["components"]["securitySchemes"] = {}


def _null(page: Endpoint) -> None:
    page.document["components"]["schemas"]["Nothing"] = {"type": "null", "examples": {}}
    page.operation["responses"]["404"] = {
        "description": "",
        "content": {"application/json": {"schema": {"type": "null"}, "examples": {}}},
    }


def _as_json(page: Endpoint) -> None:
    document = page.document
    page.wrap = lambda _: f"```json\n{json.dumps(document, indent=2)}\n```\n"


def _status(page: Endpoint) -> None:
    page.operation["x-apidog-status"] = "developing"


def _described(page: Endpoint) -> None:
    page.operation["description"] = (
        'Try it:\n\n```json\n{"a": 1}\n```\n\n## OpenAPI Specification\n\n~~~\nnothing\n~~~\n'
    )


def _no_summary(page: Endpoint) -> None:
    page.operation["summary"] = ""


def _folders(page: Endpoint) -> None:
    page.operation["tags"] = []
    page.folder = page.operation["x-apidog-folder"] = ""
    page.folder = f"API Reference > {page.tool} > {_group(page)}"


def _group(page: Endpoint) -> str:
    method, path = PATHS[page.tool]
    group: str = dialect.written(ids=False)["paths"][dialect.placed(path)][method.lower()]["tags"][0]
    return group


def _wrapped(form: str, line: str = "\n") -> Callable[[Endpoint], None]:
    def wrap(page: Endpoint) -> None:
        page.wrap = lambda text: form.replace("TEXT", text).replace("\n", line)

    return wrap


def _indented(page: Endpoint) -> None:
    page.wrap = lambda text: "\n".join(f"   {line}" for line in f"```yaml\n{text}```\n".split("\n"))


def _blank_before_title(page: Endpoint) -> None:
    page.title = f" {page.title}"
    page.slug = "创建-卷"


_ODDITIES: list[Callable[[Endpoint], None]] = [
    lambda _: None,
    _aliases,
    _blanks_in_names,
    _bearing_headers,
    _nothing_said_of_the_whole,
    _null,
    _as_json,
    _status,
    _described,
    _no_summary,
    _folders,
    _wrapped("~~~yaml\nTEXT~~~\n"),
    _wrapped("`````\nTEXT`````\n"),
    _wrapped("```yaml\nTEXT```\n", "\r\n"),
    _wrapped("```yaml\nTEXT```\n\n## Request\n\n```http\nPOST /else\n```\n\n```yaml\nopenapi: 3.0.1\npaths: {}\n```\n"),
    _wrapped("```yaml\nTEXT"),
    _indented,
    _blank_before_title,
]


def index(pages: list[Endpoint], *more: str) -> str:
    """Write the index."""
    guides = [f"- Guides [Welcome]({SITE}/welcome-1580001m0.md): How to begin.", f"-  [Key]({SITE}/key-1580002m0.md): "]
    schemas = [f"- Schemas [Volume]({SITE}/volume-9580001d0.md): "]
    lines = ["# Barrack", "", "> The API.", "", "## Docs", *guides, "", "## API Docs", *(page.line for page in pages)]
    return "\n".join([*lines, *schemas, *more]) + "\n"


@dataclass
class Answer:
    """What stands at an address."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Site:
    """A documentation site: an application, which keeps what it was asked.

    Args:
        pages: Its endpoints.
        lines: More lines of its index.
    """

    def __init__(self, pages: list[Endpoint], *lines: str) -> None:
        self.answers: dict[str, Answer] = {"/llms.txt": Answer(index(pages, *lines).encode())}
        self.answers |= {page.path: Answer(page.markdown.encode()) for page in pages}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.hosts: set[str] = set()
        self.unchanged = 0
        self.at_once = 0
        self.most_at_once = 0
        self.before: Callable[[str], Any] | None = None
        """Awaited before each answer, with the path."""
        self.allowed: int | None = None
        """So many requests are answered; then it asks to wait."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        del receive
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        self.asked.append((scope["method"], scope["path"], headers))
        self.hosts.add(f"{scope['scheme']}://{headers['host']}")
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.before is not None:
                await self.before(scope["path"])
            await self._answer(scope["path"], headers, send)
        finally:
            self.at_once -= 1

    async def _answer(self, path: str, headers: dict[str, str], send: Send) -> None:
        found = self.answers.get(path, Answer(b"<!doctype html><title>Not found</title>", 404))
        if self.allowed is not None and len(self.asked) > self.allowed:
            found = Answer(b"", 429, {"Retry-After": "30"})
        tag = f'"{hashlib.sha256(found.body).hexdigest()[:16]}"'
        if found.status == 200 and headers.get("if-none-match") == tag:
            self.unchanged += 1
            found = Answer(b"", 304)
        told = {"ETag": tag, "Content-Type": "text/markdown; charset=utf-8", **found.headers}
        await send(
            {
                "type": "http.response.start",
                "status": found.status,
                "headers": [(name.encode(), value.encode()) for name, value in told.items()],
            }
        )
        await send({"type": "http.response.body", "body": found.body})

    @property
    def read(self) -> list[str]:
        """The paths that were asked, less the index."""
        return [path for _, path, _ in self.asked if not path.endswith("llms.txt")]


class Rounds:
    """Lets a site answer in rounds: all that were asked at once together, each round as long as one page takes."""

    def __init__(self) -> None:
        self.waiting: list[anyio.Event] = []
        self.rounds = 0

    async def wait(self, _: str) -> None:
        """Wait for the end of the round; as the site's `before`."""
        event = anyio.Event()
        self.waiting.append(event)
        await event.wait()

    async def run(self) -> None:
        """End a round whenever nobody asks any more."""
        while True:
            before = len(self.waiting)
            for _ in range(50):
                await anyio.lowlevel.checkpoint()
            if self.waiting and len(self.waiting) == before:
                self.rounds += 1
                done, self.waiting = self.waiting, []
                for event in done:
                    event.set()
