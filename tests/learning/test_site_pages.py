"""The index and the pages of a documentation site, in every form in which they come, and what stands in their place."""

from __future__ import annotations

import json
from datetime import date

import pytest

from barrack_mcp.api.learning.site.index import Entry, read_index
from barrack_mcp.api.learning.site.pages import Page, PageError, read_page
from barrack_mcp.api.openapi.document import Auth

ADDRESS = "https://docs.example/llms.txt"
DAY = date(2026, 11, 27)
ENTRY = Entry("Create volume", ("Volumes",), "https://docs.example/create-volume-1e0.md", 1)
YAML = """openapi: 3.0.1
paths:
  /api/volumes/:
    post:
      summary: Create volume
      description: |
        Try:

        ```json
        {}
        ```
      responses: {}
"""
JSON = json.dumps({"openapi": "3.0.1", "paths": {"/api/volumes/": {"post": {"summary": "Create volume"}}}})

LAUGHS = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 1}]" for n in range(12))


def page(text: str | bytes) -> Page:
    return read_page(text if isinstance(text, bytes) else text.encode(), ENTRY, DAY)


def under(block: str, before: str = "# Create volume\n\n", heading: str = "## OpenAPI Specification") -> str:
    return f"{before}{heading}\n\n{block}"


@pytest.mark.parametrize(
    "text",
    [
        under(f"```yaml\n{YAML}```\n"),
        under(f"```yaml\r\n{YAML}```\r\n").replace("\r\n", "\n").replace("\n", "\r\n"),
        under(f"```yaml\n{YAML}```\n").replace("\n", "\r"),
        under(f"~~~yaml\n{YAML}~~~\n"),
        under(f"~~~~~~\n{YAML}~~~~~~~~\n"),
        under(f"`````yaml\n{YAML}`````\n"),
        under("".join(f"  {line}\n" for line in f"```yaml\n{YAML}```".split("\n"))),
        under("".join(f"\t{line}\n" for line in f"```yaml\n{YAML}```".split("\n"))),
        under("".join(f"      {line}\n" for line in f"- ```yaml\n{YAML}```".split("\n"))).replace("- ```", "```"),
        under(f"```yaml\n{YAML}  ```\n\nThe end"),
        under(f"```yaml\n{YAML}"),
        under(f"```\n{YAML}```\n"),
        under(f"``` yaml title=x\n{YAML}```\n"),
        under(f"```json\n{JSON}\n```\n"),
        under(f"```yaml\n{JSON}\n```\n"),
        under(f"```yaml\n---\n{YAML}...\n```\n"),
        under(f"```yaml\n```\n\n```yaml\n{YAML}```\n"),
        under(f"```yaml\n{YAML}```\n\n## Example\n\n```yaml\nopenapi: 3.0.1\npaths: {{}}\n```\n"),
        under(f"```yaml\n{YAML}```\n", before="# Create volume\n\n```yaml\nopenapi: 3.0.1\n```\n"),
        under(f"```yaml\n{YAML}```\n", before="# Create volume\n\n```\n## OpenAPI Specification\n```\n"),
        under(f"```yaml\n{YAML}```\n", heading="### openapi specification ###"),
        f"# Create volume\n\n```http\nPOST /\n```\n\n```yaml\n{YAML}```\n",
        YAML,
        f"\n{JSON}",
    ],
)
def test_a_page_says_its_operation_in_whatever_form_it_comes(text: str) -> None:
    for raw in (text.encode(), text.encode("utf-8-sig"), text.encode("utf-16")):
        found = page(raw)
        ((method, path, summary),) = [(each.method, each.path, each.summary) for each in found.operations]
        assert (method, path, summary) == ("POST", "/api/volumes/", "Create volume")
        assert found.operations[0].tags == ("Volumes",)
        assert found.operations[0].origin == ENTRY.url


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "is empty"),
        (b" \r\n\t", "is empty"),
        (b"<!doctype html><title>Just a moment...</title>", "is a web page, such as a sign-in or a challenge"),
        (b"\xef\xbb\xbf <html>", "is a web page"),
        (b"\xff\xff\xff", "is no text"),
        (b"# Create volume\n\nNothing yet.", "holds no OpenAPI document"),
        (b"# Create volume\n\n## OpenAPI Specification\n", "holds no OpenAPI document"),
        (under("```yaml\n```\n").encode(), "holds no OpenAPI document"),
        (under("```yaml\nopenapi: 3.0.1\npaths: {}\n```\n").encode(), "holds no operation"),
        (under("```yaml\nswagger: '2.0'\n```\n").encode(), "Swagger 2"),
        (under("```yaml\na: [1\n```\n").encode(), "is neither JSON nor YAML: line"),
        (under("```yaml\na: *b\n```\n").encode(), "an alias refers to what is not there"),
        (under("```yaml\n" + "[" * 5000 + "\n```\n").encode(), "nested more than 100 deep"),
        (under('```json\n{"openapi": \n```\n').encode(), "is not whole JSON"),
        (under(f"```yaml\n{LAUGHS}\n```").encode(), "unfolds to more than"),
        (json.dumps({"message": "sign in"}).encode(), "holds no OpenAPI document"),
    ],
)  # fmt: skip
def test_a_page_that_holds_nothing_is_told_by_its_title_and_in_one_sentence(text: bytes, words: str) -> None:
    with pytest.raises(PageError) as raised:
        page(text)
    assert words in str(raised.value)
    assert "«Create volume»" in str(raised.value)
    assert len(str(raised.value)) < 330
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("line", ["", "  ", "      "])
def test_a_page_of_five_megabytes_is_read(line: str) -> None:
    more = "".join(f"{line}# a comment to fill the page {number}\n" for number in range(130_000))
    text = under(f"```yaml\n{YAML}{more}```\n")
    assert len(text) > 4_500_000
    assert len(page(text).operations) == 1


def test_a_title_is_the_first_that_is_one_of_ours() -> None:
    block = "```yaml\n{openapi: 3.0.1, paths: {/v/: {post: {summary: volumes_create, tags: [v]}}}}\n```\n"
    assert [each.summary for each in page(under(block)).operations] == ["Create volume"]
    named = under(block, before="# Something new\n\n")
    assert [each.summary for each in page(named).operations] == ["Create volume"]


PUBLISHED = """# Create volume

## OpenAPI Specification

```yaml
openapi: 3.0.1
info: {title: '', description: '', version: 1.0.0}
paths:
  /api/volumes/:
    post:
      summary: Create volume
      deprecated: false
      description: ''
      tags: [Volumes]
      parameters: []
      requestBody:
        content:
          application/json:
            schema:
              $ref: '#/components/schemas/Create Volume%20Request'
      responses:
        '201':
          description: ''
          content:
            application/json:
              schema: {$ref: '#/components/schemas/CreateVolumeResponse'}
          headers: {}
          x-apidog-name: ''
      security:
        - ApiKeyAuth: []
          x-apidog: {required: true, schemeGroups: [{id: abc, schemeIds: [ApiKeyAuth]}], use: {id: abc}}
        - x-apidog
      x-apidog-folder: Storage/Volumes
      x-apidog-status: released
components:
  schemas:
    Create Volume Request:
      type: object
      properties:
        name: &ref_0 {type: string, examples: {}}
        label: *ref_0
        nothing: {type: 'null'}
      required: [name]
      x-apidog-orders: [name, label]
    CreateVolumeResponse: {type: object, properties: {volume: {$ref: '#/components/schemas/Create Volume Request'}}}
  securitySchemes:
    Other: {type: bearer}
    ApiKeyAuth: {type: apiKey, in: header, name: X-API-Key}
servers:
  - {url: https://barrack.ai, description: Prod Env}
security: []
```

## Request samples
"""


def test_a_page_as_it_is_published_is_read_whole_and_without_complaint() -> None:
    found = page(PUBLISHED)
    (operation,) = found.operations
    assert (found.title, found.document.url, found.document.notes) == ("Create volume", "https://barrack.ai", [])
    assert found.document.auth == Auth("X-API-Key", "{key}")
    assert operation.tags == ("Volumes", "Storage")
    assert operation.body is not None
    assert operation.answer is not None
    assert set(operation.body.fields) == set(operation.answer.fields["volume"].fields) == {"name", "label", "nothing"}
    assert operation.body.required == {"name"}
    assert (operation.status, operation.doubt) == ("", "")


@pytest.mark.parametrize(
    "servers",
    [
        "[{url: 'http://dev.example', description: Develop Env}, {url: 'https://barrack.ai', description: Prod Env}]",
        "[{url: 'https://barrack.ai', description: Production}, {url: 'https://test.example', description: Test Env}]",
        "[{url: '', description: Prod Env}, {url: 'https://barrack.ai', description: Main}, 7, {url: ''}]",
    ],
)
def test_of_several_servers_the_one_in_production_is_the_api(servers: str) -> None:
    found = page(
        PUBLISHED.replace("servers:\n  - {url: https://barrack.ai, description: Prod Env}", f"servers: {servers}")
    )
    assert (found.document.url, found.document.notes) == ("https://barrack.ai", [])


INDEX = """# Barrack

- Volumes [Get volume](https://docs.example/get-volume-7e0.md): In no section
## Docs
- Guides [Welcome](https://docs.example/welcome-1m0.md): Hello
- [No number](https://docs.example/start.md):
## API Docs
- Volumes [Create volume](https://docs.example/create-volume-27694010e0.md): Makes one
- Compute > Volumes > More [ Delete volume](https://docs.example/delete-volume-27694011e0.md):
-  [Resize [beta] volume](https://docs.example/resize-27694012e0.md): see [this](https://elsewhere.example/x-1e0.md)
* Volumes [ÄÖ 卷](https://docs.example/创建-卷-27694013e0.md)
- Volumes [Bare](/bare-27694014e0)
- Volumes [Without](https://docs.example/no-number): x
- Volumes [In brackets](<https://docs.example/a_(b)-27694015e0.md>)
- Volumes [\\[old\\] Attach](https://docs.example:443/attach-27694016e0.md#part)
- Schemas [Volume](https://docs.example/volume-9d0.md):
- Volumes [Create volume](https://docs.example/create-volume-27694010e0.md): twice
- Volumes [Plain](http://docs.example/plain-1e0.md)
- Volumes [Port](https://docs.example:8443/port-1e0.md)
- Volumes [Else](https://docs.example.evil.example/else-1e0.md)
- Volumes [User](https://docs.example@evil.example/user-1e0.md)
- Volumes [User too](https://me:secret@docs.example/user-1e0.md)
- Volumes [Scheme](javascript:alert(1))
- Volumes [File](file:///etc/passwd-1e0.md)
- Volumes [Slashes](//evil.example/x-1e0.md)
- Volumes [Broken](https://[docs/x-1e0.md)
- Volumes [Port no](https://docs.example:no/x-1e0.md)
- Languages [English](https://docs.example/en/llms.txt)
no link
- no link
- [half](
"""


def test_an_index_is_read_line_by_line_and_what_leads_elsewhere_is_counted() -> None:
    found = read_index(INDEX, ADDRESS)
    shown = [
        (each.title, each.folders, each.url.removeprefix("https://docs.example"), each.number)
        for each in found.endpoints
    ]
    assert shown == [
        ("Get volume", ("Volumes",), "/get-volume-7e0.md", 7),
        ("Create volume", ("Volumes",), "/create-volume-27694010e0.md", 27694010),
        ("Delete volume", ("Compute", "Volumes", "More"), "/delete-volume-27694011e0.md", 27694011),
        ("Resize [beta] volume", (), "/resize-27694012e0.md", 27694012),
        ("ÄÖ 卷", ("Volumes",), "/%E5%88%9B%E5%BB%BA-%E5%8D%B7-27694013e0.md", 27694013),
        ("Bare", ("Volumes",), "/bare-27694014e0.md", 27694014),
        ("Without", ("Volumes",), "/no-number.md", 0),
        ("In brackets", ("Volumes",), "/a_(b)-27694015e0.md", 27694015),
        ("[old] Attach", ("Volumes",), ":443/attach-27694016e0.md", 27694016),
    ]  # fmt: skip
    assert found.indexes == ["https://docs.example/en/llms.txt"]
    assert found.others == 3
    assert found.elsewhere == {
        "docs.example": 3,
        "docs.example.evil.example": 1,
        "evil.example": 2,
        "javascript": 1,
        "file": 1,
        "an address that can't be read": 2,
    }


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n"])
def test_an_index_has_any_line_ends_and_any_length(ending: str) -> None:
    text = INDEX.replace("\n", ending) + "- [" * 100_000 + ending + "[(" * 1_000_000
    assert len(read_index(text, ADDRESS).endpoints) == 9


def test_an_index_without_end_is_read_so_far() -> None:
    text = "".join(f"- V [T{n}](https://docs.example/t-{n}e0.md)\n" for n in range(30_000))
    assert len(read_index(text, ADDRESS).endpoints) == 20_000
