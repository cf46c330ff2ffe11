"""Every mistake in overrides is told with its line, its key and what to write instead."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barrack_mcp.api.http import checked_url
from barrack_mcp.api.wire.loading import MAX_BYTES, OverridesError, key_lines, load
from barrack_mcp.api.wire.overrides import Overrides

MISTAKES = [
    ('[operations.list_instance]\npath = "/x/"\n', 1, "operations.list_instance", "did you mean list_instances?"),
    ("[operation]\n", 1, "operation", "did you mean operations?"),
    ("\n\n[apis]\n", 3, "apis", "did you mean api?"),
    ("[api]\nsslash = 1\n", 2, "api.sslash", "did you mean slash?"),
    ('[api]\n# why\nslash = "sometimes"\n', 3, "api.slash", "always, never, keep"),
    ('[api]\nurl = "http://barrack.ai/api"\n', 2, "api.url", "https://"),
    ('[api]\nurl = "https://me:secret@barrack.ai"\n', 2, "api.url", "password"),
    ('[api]\nurl = "barrack"\n', 2, "api.url", "such as https://barrack.ai/api"),
    ('[api]\nurl = ""\n', 2, "api.url", "text in quotes"),
    ('[api]\nauth_header = "X Key"\n', 2, "api.auth_header", "letters, digits and -"),
    ('[api]\nauth_template = "Bearer"\n', 2, "api.auth_template", "{key} once"),
    ('[api]\npage = "p"\nlimit = "p"\n', 3, "api.limit", "repeats the one of page"),
    ('[api]\npage = "a..b"\n', 2, "api.page", "names with dots"),
    ("api = 3\n", 1, "api", "must be a table"),
    ("[operations]\nget_volume = 3\n", 2, "operations.get_volume", "must be a table"),
    ('[operations.get_volume]\npaths = "/x"\n', 2, "operations.get_volume.paths", "did you mean path?"),
    ('[operations.get_volume]\nmethod = "get"\n', 2, "operations.get_volume.method", "GET, POST"),
    ('[operations.get_volume]\nmethod = [\n  "GET",\n]\n', 2, "operations.get_volume.method", "GET, POST"),
    ("[operations.get_volume]\nresult = 3\n", 2, "operations.get_volume.result", "text in quotes"),
    ('[operations.get_volume]\nsend = "form"\n', 2, "operations.get_volume.send", "query, body"),
    ("[operations.get_volume]\npath = 3\n", 2, "operations.get_volume.path", "text in quotes"),
    ('[operations.get_volume]\npath = "https://evil/{volume_id}"\n', 2, "operations.get_volume.path", "must be a path"),
    ('[operations.get_volume]\npath = "//evil/{volume_id}"\n', 2, "operations.get_volume.path", "must be a path"),
    ('[operations.get_volume]\npath = "/../{volume_id}"\n', 2, "operations.get_volume.path", ". or .."),
    ('[operations.get_volume]\npath = "/%2e%2E/{volume_id}"\n', 2, "operations.get_volume.path", ". or .."),
    ('[operations.get_volume]\npath = "/x%2f/{volume_id}"\n', 2, "operations.get_volume.path", "must be a path"),
    ('[operations.get_volume]\npath = "/x/"\n', 2, "operations.get_volume.path", "lacks {volume_id}"),
    ('[operations.get_volume]\npath = "/x/{volume}"\n', 2, "operations.get_volume.path", "did you mean volume_id?"),
    ('[operations.get_volume]\npath = "/x/{volume_id"\n', 2, "operations.get_volume.path", "expected '}'"),
    ('[operations.get_volume]\npath = "/x/{}"\n', 2, "operations.get_volume.path", "braces that hold no name"),
    ('[operations.get_volume]\npath = "/{volume_id}/{volume_id}"\n', 2, "operations.get_volume.path", "twice"),
    (
        '[operations.get_volume.fields]\n"volume.volume_nam" = "x"\n',
        2,
        "«volume.volume_nam»",
        "volume.volume_name?",
    ),
    ("[operations.get_volume.fields]\nmessage = 3\n", 2, "fields.message", "text in quotes"),
    ('[operations.get_volume.fields]\nvolume_id = "x"\n', 2, "fields.volume_id", "stands in the path"),
    ('[operations.create_volume.fields]\nname = "x"\nregion = "x"\n', 3, "fields.region", "one name"),
    ('[operations.create_volume.fields]\nname = "region"\n', 2, "fields.name", "one name"),
    (
        '[operations.get_volume.fields]\n"volume.tier" = "x"\n"volume.region" = "x"\n',
        3,
        "«volume.region»",
        "one name",
    ),
    ('[operations.create_volume]\nconstants = { name = "x" }\n', 2, "constants", "one name"),
    ("[operations.create_volume]\nconstants = 3\n", 2, "constants", "must be a table"),
    ('[operations.create_volume.values]\ntier = "x"\n', 2, "values.tier", "must be a table"),
    ('[operations.create_volume.values.tier]\nlegasy = "x"\n', 2, "values.tier.legasy", "did you mean legacy?"),
    ('[operations.create_volume.values.tir]\nlegacy = "x"\n', 1, "values.tir", "did you mean tier?"),
    ('[operations.create_volume.values.tier]\nlegacy = ["x"]\n', 2, "values.tier.legacy", "must be text, a number"),
    (
        '[operations.create_volume.values.tier]\nlegacy = "x"\nadvanced = "x"\n',
        3,
        "values.tier.advanced",
        "repeats the one",
    ),
    ('[operations.create_volume]\nrequires = "name"\n', 2, "requires", "must be a list"),
    ('[operations.create_volume]\nrequires = ["bootabel"]\n', 2, "requires", "did you mean bootable?"),
    ("[operations.create_volume.arguments]\nx = 3\n", 2, "arguments.x", "must be a table"),
    ("[operations.create_volume.arguments.name]\n", 1, "arguments.name", "a new argument's name"),
    ("[operations.create_volume.arguments.Project]\n", 1, "arguments.Project", "small letters"),
    ("[operations.create_volume.arguments.json]\n", 1, "arguments.json", "a new argument's name"),
    ("[operations.create_volume.arguments.p]\ntipe = 1\n", 2, "arguments.p.tipe", "did you mean type?"),
    ('[operations.create_volume.arguments.p]\ntype = "text"\n', 2, "arguments.p.type", "string, integer"),
    ("[operations.create_volume.arguments.p]\nenum = 3\n", 2, "arguments.p.enum", "must be a list"),
    ('[operations.create_volume.arguments.p]\nin = "cookie"\n', 2, "arguments.p.in", "body, query, path"),
    ('[operations.create_volume.arguments.p]\nrequired = "yes"\n', 2, "arguments.p.required", "true or false"),
    ("[status.instanse]\n", 1, "status.instanse", "did you mean instance?"),
    ('[status.instance]\nRUNNING = "ACTIV"\n', 2, "status.instance.RUNNING", "a state of ours: ACTIVE"),
]


@pytest.mark.parametrize(("text", "line", "key", "words"), MISTAKES, ids=[f"{m[2]}-{m[3][:12]}" for m in MISTAKES])
def test_a_mistake_is_told_in_one_sentence_with_its_line_and_its_key(
    text: str, line: int, key: str, words: str
) -> None:
    with pytest.raises(OverridesError) as error:
        load(text.encode(), "my.toml")
    (sentence,) = error.value.mistakes
    assert sentence.startswith(f"my.toml, line {line}: ")
    assert key in sentence
    assert words in sentence
    assert "secret" not in sentence
    assert sentence.endswith("?" if "did you mean" in sentence else ".")
    assert "\n" not in sentence


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines() -> None:
    text = '[operations.get_volume]\nmethod = "X"\npath = "x"\n[api]\nslash = 1\n'
    with pytest.raises(OverridesError) as error:
        load(text.encode(), "f")
    assert [sentence.split(":")[0] for sentence in error.value.mistakes] == ["f, line 2", "f, line 3", "f, line 5"]
    assert str(error.value) == "\n".join(error.value.mistakes)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"\xff\xfe", "is not UTF-8"),
        (b"[api\n", "is not TOML: .*line 1"),
        (b"a = 1\na = 2\n", "is not TOML"),
        (b"#" * (MAX_BYTES + 1), "is larger than"),
        (b"a = " + b"[" * 5_000, "is (nested too deeply|not TOML)"),
    ],
)
def test_what_is_no_toml_is_told_so(raw: bytes, words: str) -> None:
    with pytest.raises(OverridesError, match=words):
        load(raw, "f")


def test_a_full_file_loads() -> None:
    overrides = load(
        b"""
        [api]
        url = "http://127.0.0.1:8900/api/"
        slash = "keep"
        auth_header = "X-API-Key"
        auth_template = "{key}"
        page = "page[number]"
        [operations.create_volume]
        method = "PUT"
        path = "/projects/{project_id}/{zone}/volumes"
        send = "body"
        requires = ["bootable"]
        constants = { zone = "z1" }
        [operations.create_volume.arguments.project_id]
        in = "path"
        description = "Project."
        [operations.create_volume.fields]
        "request.tier" = "plan"
        "answer.tier" = "grade"
        [operations.create_volume.values.tier]
        legacy = true
        advanced = 2
        """,
        "f",
    )
    assert overrides.api.url == "http://127.0.0.1:8900/api"
    volume = overrides.operations["create_volume"]
    assert volume.arguments["project_id"].description == "Project."
    assert volume.values == {"tier": {"legacy": True, "advanced": 2}}
    assert overrides


def test_an_empty_file_overrides_nothing() -> None:
    assert load(b"", "f") == load(b"# nothing\n[api]\n[operations]\n", "f") == Overrides()
    assert not Overrides()


@pytest.mark.parametrize("url", ["https://x.example", "http://localhost:1", "http://[::1]/a", "https://x.example:9/a/"])
def test_a_url_is_https_or_this_machine(url: str) -> None:
    assert checked_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "ftp://localhost", "https://x:y", "https://x/?q", "https://[", "//x"]
)
def test_any_other_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"must (be|begin|not)"):
        checked_url(url)


NAMES = st.text("abcxyz-_", min_size=1, max_size=4)
VALUES = st.one_of(
    st.integers(), st.booleans(), st.lists(st.integers(), max_size=2), st.text("ab#[]='\"\n", max_size=6)
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, min_size=1, max_size=3), min_size=1, max_size=4),
    st.lists(st.sampled_from(["", "# [x]", "   "]), max_size=3),
)
def test_every_key_of_any_document_is_found_on_its_own_line(
    tables: dict[str, dict[str, object]], gaps: list[str]
) -> None:
    lines: list[str] = []
    expected: dict[tuple[str, ...], int] = {}
    for table, entries in tables.items():
        lines += [*gaps, f"[{table}]"]
        expected[table,] = len(lines)
        for key, value in entries.items():
            expected[table, key] = len(lines) + 1
            shown = repr(value).lower() if not isinstance(value, str) else f'"""{value.replace(chr(34), "q")}"""'
            lines += f"{key} = {shown}".split("\n")
    found = key_lines("\n".join(lines))
    assert {path: found[".".join(path)] for path in expected} == expected


def test_a_key_inside_a_value_is_on_the_line_of_the_value() -> None:
    found = key_lines("\n[a.b]\nc = { d = { e = 1 } }\n[[f]]\ng = 1\n[a]\nh.i = 1\n")
    assert found == {"a": 6, "a.b": 2, "a.b.c": 3, "a.b.c.d": 3, "a.b.c.d.e": 3, "f": 4, "f.g": 5, "a.h": 7, "a.h.i": 7}
