"""From here to the API: every way in which that fails has its own diagnosis, and the key stays at home."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from barrack_mcp.api.probe import open_probe
from barrack_mcp.cli.doctor import Verdict, reach
from barrack_mcp.simulator import create_app
from tests.doctor.asking import CANARY, check, examined, settings
from tests.doctor.servers import Answer, certificate, http, page, serving, told
from tests.support.running import KEY, listening

pytestmark = pytest.mark.anyio


@pytest.fixture
def closed() -> Iterator[int]:
    """A port that is bound and not listening: it refuses, and nobody else takes it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def test_a_dead_host_is_said_to_refuse_connections(tmp_path: Path, closed: int) -> None:
    report = await examined(settings(tmp_path, f"http://127.0.0.1:{closed}"))
    assert report.exit_code == 4
    assert report.diagnosis.startswith(f"127.0.0.1:{closed} refuses connections.")
    assert not report.reads


async def test_a_host_that_takes_no_connection_is_said_not_to_react(tmp_path: Path) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)  # noqa: FBT003 - the standard library's own
            filler.connect_ex(full.getsockname())
        try:
            report = await examined(settings(tmp_path, f"http://127.0.0.1:{full.getsockname()[1]}", timeout="0.5"))
        finally:
            for filler in fillers:
                filler.close()
    assert report.exit_code == 4
    assert "does not react: connections time out" in report.diagnosis


async def test_a_host_that_stalls_is_given_up_within_the_time(tmp_path: Path) -> None:
    async with serving(lambda _: None) as (url, heard):
        report = await examined(settings(tmp_path, url, timeout="0.5"))
    assert report.exit_code == 4
    assert "takes connections and then does not answer" in report.diagnosis
    assert len(heard) == report.requests == 1


async def test_a_name_that_does_not_exist_is_said(tmp_path: Path) -> None:
    report = await examined(settings(tmp_path, "https://barrack.invalid", timeout="2"))
    assert report.exit_code == 4
    assert check(report, "name").verdict is Verdict.FAILS
    assert "barrack.invalid" in report.diagnosis
    assert report.requests == 0


async def test_a_name_server_that_stays_silent_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(1))
    monkeypatch.setattr(reach, "NAME_S", 0.2)
    report = await examined(settings(tmp_path, "https://barrack.invalid"))
    assert report.exit_code == 4
    assert "No name server told within 0.2 s where barrack.invalid is." in report.diagnosis
    assert report.requests == 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda _: page(), "A web page answers in the API's place: this network wants a login (captive portal)"),
        (
            lambda _: http("302 Found", Location="https://login.hotel.example/?back=x"),
            "points to another host (login.hotel.example): this network wants a login (captive portal)",
        ),
        (lambda _: page("302 Found", Location="http://10.0.0.1/login"), "points to another host (10.0.0.1)"),
        (lambda _: page("511 Network Authentication Required"), "This network wants a login first (captive portal)"),
        (lambda _: page("407 Proxy Authentication Required"), "A proxy answers in the API's place"),
        (lambda _: http("200 OK", b"hello", Content_Type="text/plain"), "no API: its answer is no JSON"),
        (lambda _: b"SSH-2.0-OpenSSH_9.9\r\n", "breaks connections off, or speaks no HTTP"),
        (lambda _: b"", "breaks connections off, or speaks no HTTP"),
    ],
    ids=["page", "redirect", "redirect with page", "511", "proxy", "text", "ssh", "hangs up"],
)
async def test_what_is_no_api_is_told_from_one_and_never_gets_the_key(
    tmp_path: Path, answer: Answer, said: str
) -> None:
    async with serving(answer) as (url, heard):
        report = await examined(settings(tmp_path, url, timeout="5"))
    assert report.exit_code == 4
    assert said in report.diagnosis
    assert CANARY.encode() not in b"".join(heard)
    assert len(heard) == report.requests == 1


async def test_an_api_with_trouble_of_its_own_is_not_called_unreachable(tmp_path: Path) -> None:
    async with serving(lambda _: told({"detail": "x"}, "503 Service Unavailable")) as (url, _):
        report = await examined(settings(tmp_path, url))
    assert report.exit_code == 1
    assert "The API answers 503: it has trouble of its own." in report.diagnosis


@pytest.mark.parametrize(
    ("made", "trusted", "said"),
    [
        ({"days": (-60, -30)}, "trusted", "has expired; this machine's clock says"),
        ({"days": (30, 60)}, "trusted", "is not valid yet; this machine's clock says"),
        ({"host": "other.example"}, "trusted", "is another host's"),
        ({}, "", "an issuer that this machine doesn't trust"),
        ({"self_signed": True}, "trusted", "an issuer that this machine doesn't trust, or from itself"),
        ({"days": (-60, -30), "self_signed": True}, "", "an issuer that this machine doesn't trust"),
    ],
    ids=["expired", "not yet valid", "other host", "unknown issuer", "self-signed", "self-signed and expired"],
)
async def test_a_bad_certificate_is_told_by_what_is_wrong_with_it_and_nothing_is_sent(
    tmp_path: Path, made: dict[str, object], trusted: str, said: str
) -> None:
    issuer, tls = certificate(tmp_path, **made)  # type: ignore[arg-type]  # by name, from a table
    more = {"ca_file": str(issuer)} if trusted else {}
    async with serving(lambda _: told({}), tls=tls) as (url, heard):
        report = await examined(settings(tmp_path, url, timeout="10", **more))
    assert report.exit_code == 4
    assert said in check(report, "certificate").sentence
    assert report.diagnosis.startswith(check(report, "certificate").sentence)
    assert not heard


async def test_a_port_without_tls_is_said(tmp_path: Path) -> None:
    async with listening(create_app()) as url:
        report = await examined(settings(tmp_path, url.replace("http:", "https:"), timeout="10"))
    assert report.exit_code == 4
    assert "not with TLS that can be used" in report.diagnosis


async def test_a_website_behind_a_good_certificate_makes_the_url_suspect_first(tmp_path: Path) -> None:
    issuer, tls = certificate(tmp_path)
    async with serving(lambda _: page(), tls=tls) as (url, _):
        report = await examined(settings(tmp_path, url, ca_file=str(issuer)))
    assert check(report, "certificate").verdict is Verdict.OK
    assert "BARRACK_API_URL points to a website or this network wants a login" in report.diagnosis


@pytest.mark.parametrize(
    ("off", "said"), [(3600, "60 min ahead of the API's"), (-86_400, "24 h behind the API's"), (90, "")]
)
async def test_a_clock_that_is_off_is_a_warning(tmp_path: Path, off: float, said: str) -> None:
    async with listening(create_app()) as url:
        chosen = settings(tmp_path, url, api_key=KEY)
        report = await examined(chosen, now=lambda: time.time() + off)
    clock = check(report, "clock")
    assert clock.verdict is (Verdict.WARNING if said else Verdict.OK)
    assert said in clock.sentence
    assert ("Worth a look: clock." in report.diagnosis) == bool(said)
    assert report.exit_code == 0


@pytest.mark.parametrize("date", ["yesterday", "Fri, 99 Xxx 2026 00:00:00 GMT", ""])
async def test_a_date_that_is_none_tells_nothing(tmp_path: Path, date: str) -> None:
    async with serving(lambda _: told({"detail": "no"}, "401 Unauthorized", Date=date)) as (url, _):
        report = await examined(settings(tmp_path, url))
    assert check(report, "clock").sentence == "The answer bears no date to compare with."


async def test_without_a_key_nothing_but_the_way_is_tried(tmp_path: Path) -> None:
    app = create_app()
    async with listening(app) as url:
        report = await examined(settings(tmp_path, url, api_key=""))
    assert report.exit_code == 3
    assert report.diagnosis.startswith("No API key is set. Set BARRACK_API_KEY")
    assert check(report, "answer").verdict is Verdict.OK
    assert [each["method"] for each in app.state.barrack.requests] == ["GET"]


async def test_a_wrong_key_is_said_after_every_usual_form_was_tried(tmp_path: Path) -> None:
    app = create_app()
    async with listening(app) as url:
        report = await examined(settings(tmp_path, url))
    assert report.exit_code == 3
    assert "does not accept the key (401, in any of 7 usual forms): the key is wrong, revoked" in report.diagnosis
    assert {(each["method"], each["path"]) for each in app.state.barrack.requests} == {("GET", "/pricing/")}
    assert not report.reads
    assert not app.state.barrack.journal


async def test_a_key_that_may_not_even_read_prices_is_told_from_a_wrong_one(tmp_path: Path) -> None:
    async with serving(lambda _: told({"detail": "no"}, "403 Forbidden")) as (url, _):
        report = await examined(settings(tmp_path, url))
    assert report.exit_code == 3
    assert "(403, in any of 7 usual forms): it is not allowed to do this" in report.diagnosis


@pytest.mark.parametrize(
    ("header", "template"),
    [("X-API-Key", "{key}"), ("Authorization", "Token {key}"), ("Authorization", "Api-Key {key}")],
)
async def test_another_form_of_the_key_is_found_said_and_used(tmp_path: Path, header: str, template: str) -> None:
    app = create_app(auth_header=header, auth_template=template)
    async with listening(app) as url:
        report = await examined(settings(tmp_path, url, api_key=KEY))
    assert report.exit_code == 3
    assert (
        f"The API takes the key as «{header}: {template}», not as «Authorization: Bearer {{key}}»." in report.diagnosis
    )
    assert f"BARRACK_AUTH_HEADER={header}" in report.diagnosis
    assert f'[api]\nauth_header = "{header}"\nauth_template = "{template}"' in report.lines
    assert len(report.seen_working) == 29
    assert {each["method"] for each in app.state.barrack.requests} == {"GET"}


async def test_the_form_that_is_set_is_tried_first_and_alone_if_it_works(tmp_path: Path) -> None:
    app = create_app(auth_header="X-Own", auth_template="k={key}")
    async with listening(app) as url:
        chosen = settings(tmp_path, url, api_key=KEY, auth_header="X-Own", auth_template="k={key}")
        report = await examined(chosen)
    assert report.exit_code == 0
    assert [each["status"] for each in app.state.barrack.requests][:2] == [401, 200]


async def test_an_api_that_wants_fewer_requests_is_not_asked_on(tmp_path: Path) -> None:
    def answer(request: bytes) -> bytes:
        return told({}, "429 Too Many Requests" if CANARY.encode() in request else "401 Unauthorized")

    async with serving(answer) as (url, heard):
        report = await examined(settings(tmp_path, url))
    assert report.exit_code == 1
    assert "The API wants fewer requests (429)." in report.diagnosis
    assert len(heard) == 2


async def test_an_api_that_falls_silent_with_the_key_is_said(tmp_path: Path) -> None:
    def answer(request: bytes) -> bytes | None:
        return None if CANARY.encode() in request else told({}, "401 Unauthorized")

    async with serving(answer) as (url, _):
        report = await examined(settings(tmp_path, url, timeout="0.4"))
    assert report.exit_code == 4
    assert "answers without a key, and not with one" in report.diagnosis


async def test_forms_that_take_too_long_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "FORMS_S", 0.6)

    def answer(request: bytes) -> bytes | None:
        known = CANARY.encode() not in request or b"Bearer" in request
        return told({}, "401 Unauthorized") if known else None

    async with serving(answer) as (url, _):
        report = await examined(settings(tmp_path, url))
    assert report.exit_code == 4
    assert "stopped answering while the key was tried" in report.diagnosis


async def test_where_the_documented_path_is_open_to_all_another_read_tells_of_the_key(tmp_path: Path) -> None:
    def answer(request: bytes) -> bytes:
        return told({"pricing_data": {}}) if b" /api/pricing/ " in request else told({}, "401 Unauthorized")

    async with serving(answer) as (url, heard):
        report = await examined(settings(tmp_path, url))
    assert report.exit_code == 3
    assert "does not accept the key (401, in any of 7 usual forms)" in report.diagnosis
    with_key = {request.split(b" ")[1] for request in heard if CANARY.encode() in request}
    assert with_key == {b"/api/instances/"}


async def test_where_nothing_wants_a_key_until_one_comes_the_reads_tell(tmp_path: Path) -> None:
    def answer(request: bytes) -> bytes:
        public = b" /api/pricing/ " in request or CANARY.encode() not in request
        return told({"pricing_data": {"gpus": []}}) if public else told({}, "401 Unauthorized")

    async with serving(answer) as (url, _):
        report = await examined(settings(tmp_path, url))
    assert report.exit_code == 3
    assert "The API refuses every read to this key" in report.diagnosis


async def test_a_date_is_read_as_the_moment_it_names(tmp_path: Path) -> None:
    stamp = formatdate(time.time() - 600, usegmt=True)
    async with serving(lambda _: told({}, "401 Unauthorized", Date=stamp)) as (url, _):
        report = await examined(settings(tmp_path, url))
    assert "10 min ahead of the API's" in check(report, "clock").sentence


@pytest.mark.parametrize(
    ("answer"), [lambda _: page("404 Not Found"), lambda _: told({"detail": "Not found."}, "404 Not Found")]
)
async def test_a_url_whose_path_is_wrong_is_looked_for_beside_it_without_the_key(
    tmp_path: Path, answer: Answer
) -> None:
    def api(request: bytes) -> bytes | None:
        known = b" /api/v1/pricing/ " in request
        return told({"detail": "no"}, "401 Unauthorized") if known else answer(request)

    async with serving(api) as (url, heard):
        report = await examined(settings(tmp_path, url, timeout="5"))
    assert report.exit_code == 4
    assert f"The API is not at {url}/api but at {url}/api/v1. Set BARRACK_API_URL={url}/api/v1." in report.diagnosis
    assert report.lines == f'[api]\nurl = "{url}/api/v1"\n'
    assert CANARY.encode() not in b"".join(heard)


async def test_a_website_that_knows_no_such_path_is_said_to_be_one(tmp_path: Path) -> None:
    async with serving(lambda _: page("404 Not Found")) as (url, heard):
        report = await examined(settings(tmp_path, url, timeout="5"))
    assert report.exit_code == 4
    assert "A web page answers in the API's place" in report.diagnosis
    assert 1 < len(heard) <= 5


async def test_another_base_url_is_asked_on_the_same_host_only() -> None:
    async with open_probe("https://barrack.example/api", None) as probe:
        for base, path in (
            ("https://other.example/api", "/x"),
            ("http://barrack.example/api", "/x"),
            ("https://barrack.example:8443/api", "/x"),
            ("https://barrack.example", "@other.example/x"),
        ):
            with pytest.raises(ValueError, match="same host"):
                await probe.get_at(base, path, seconds=1)
        with pytest.raises(ValueError, match="slash"):
            await probe.get("@other.example/x", seconds=1)
        assert probe.requests == 0


async def test_a_body_that_never_ends_is_given_up_and_one_that_is_too_large_not_read(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n"
    async with serving(lambda _: head) as (url, _):
        report = await examined(settings(tmp_path, url))
    assert "is larger than 4 MiB and was not read" in report.diagnosis
    assert report.exit_code == 4


async def test_trouble_of_the_apis_own_with_the_key_leaves_it_to_the_reads(tmp_path: Path) -> None:
    def answer(request: bytes) -> bytes:
        if CANARY.encode() not in request:
            return told({}, "401 Unauthorized")
        broken = b" /api/pricing/ " in request
        return told({}, "502 Bad Gateway") if broken else told({"regions": []})

    async with serving(answer) as (url, _):
        report = await examined(settings(tmp_path, url))
    assert check(report, "key accepted").verdict is Verdict.OK
    assert "Failing: get_pricing" in report.diagnosis
    assert report.exit_code == 1
