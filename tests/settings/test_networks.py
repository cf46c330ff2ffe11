"""Networks at work: a real proxy, a real TLS server with its own issuer, and what is said where there is no way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2
import pytest
from anyio import to_thread
from pydantic import SecretStr

from barrack_mcp.api.http import checked_url, write_place
from barrack_mcp.api.http.network import Network
from tests.doctor.servers import certificate, serving, told
from tests.support.forking import PRODUCT
from tests.support.patience import PATIENT_S
from tests.support.running import environment

pytestmark = pytest.mark.anyio

KEY = "canary-5b1f90"
HOST = "barrack.test"
LIST = ["call", "list_instances"]
EMPTY = {"success": True, "instances": [], "total": 0}
BARE = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"), "")


@asynccontextmanager
async def proxy(folder: Path, *flags: str) -> AsyncIterator[int]:
    """Run the proxy as a process; gives its port."""
    told_port = folder / "port"
    command = [sys.executable, "-m", "proxy", "--hostname", "127.0.0.1", "--port", "0", "--port-file", str(told_port)]
    command += [
        "--num-workers",
        "1",
        "--num-acceptors",
        "1",
        "--log-file",
        str(folder / "proxy.log"),
        "--log-level",
        "d",
    ]
    command += ["--plugins", "tests.settings.sending_home.SendingHome", *flags]
    async with await anyio.open_process(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        try:
            with anyio.fail_after(PATIENT_S):
                while not (told_port.exists() and told_port.read_text().strip()):  # noqa: ASYNC110 - no event tells
                    await anyio.sleep(0.05)
            yield int(told_port.read_text())
        finally:
            started.terminate()


async def said(command: list[str], **settings: str) -> tuple[int, str]:
    """Run a command to its end; gives its code and all that it said."""
    around = environment(**BARE | {"BARRACK_API_KEY": KEY, "BARRACK_TIMEOUT": "10"} | settings)
    with anyio.fail_after(PATIENT_S):
        ended = await to_thread.run_sync(PRODUCT.run, command, around, abandon_on_cancel=True)
    words = ended.said.decode()
    assert KEY not in words
    assert "Traceback" not in words
    return ended.code, " ".join(words.split())


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "BARRACK_PROXY"])
async def test_a_call_goes_through_the_proxy_that_is_named_and_the_key_inside_tls_alone(
    tmp_path: Path, variable: str
) -> None:
    issuer, tls = certificate(tmp_path, host=HOST)
    async with serving(lambda _: told(EMPTY), tls=tls) as (url, heard), proxy(tmp_path) as port:
        there = url.replace("127.0.0.1", HOST)
        settings = {"BARRACK_API_URL": f"{there}/api", "BARRACK_CA_FILE": str(issuer)}
        code, words = await said(LIST, **settings, **{variable: f"http://127.0.0.1:{port}"})
    assert code == 0, words
    assert len(heard) == 1
    log = (tmp_path / "proxy.log").read_text()
    assert "CONNECT" in log
    assert KEY not in log


@pytest.mark.slow
async def test_a_proxy_that_wants_a_password_is_given_it_and_one_that_refuses_is_told(tmp_path: Path) -> None:
    issuer, tls = certificate(tmp_path, host=HOST)
    async with (
        serving(lambda _: told(EMPTY), tls=tls) as (url, heard),
        proxy(tmp_path, "--basic-auth", "me:s3cret-word") as port,
    ):
        there = {"BARRACK_API_URL": f"{url.replace('127.0.0.1', HOST)}/api", "BARRACK_CA_FILE": str(issuer)}
        assert (await said(LIST, **there, HTTPS_PROXY=f"http://me:s3cret-word@127.0.0.1:{port}"))[0] == 0
        code, words = await said(LIST, **there, HTTPS_PROXY=f"http://me:wr0ng-word@127.0.0.1:{port}")
        doctor = await said(["doctor"], **there, HTTPS_PROXY=f"http://me:wr0ng-word@127.0.0.1:{port}")
    assert code == 4
    assert "the proxy did not let it through (407)" in words
    assert "wr0ng-word" not in words + doctor[1]
    assert doctor[0] == 4
    assert len(heard) == 1


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY", "BARRACK_PROXY"])
@pytest.mark.parametrize("command", [LIST, ["doctor"]], ids=["call", "doctor"])
async def test_this_machine_is_reached_without_a_proxy_whatever_is_named(variable: str, command: list[str]) -> None:
    async with serving(lambda _: told(EMPTY)) as (url, heard):
        await said(command, BARRACK_API_URL=f"{url}/api", **{variable: "http://127.0.0.1:9"})
    assert heard


@pytest.mark.slow
@pytest.mark.parametrize(
    "proxied", ["socks://127.0.0.1:9", "socks5://127.0.0.1:9", "nonsense://", "http://127.0.0.1:notaport"]
)
async def test_a_proxy_that_cannot_be_used_is_told_in_a_sentence(proxied: str) -> None:
    code, words = await said(LIST, BARRACK_API_URL="https://barrack.test/api", ALL_PROXY=proxied)
    assert code == 4
    assert "ALL_PROXY names a proxy that can't be used" in words


@pytest.mark.slow
@pytest.mark.parametrize("trusted_by", ["BARRACK_CA_FILE", "SSL_CERT_FILE", "SSL_CERT_DIR", ""])
async def test_an_issuer_is_trusted_by_any_of_the_usual_ways_and_else_told(tmp_path: Path, trusted_by: str) -> None:
    issuer, tls = certificate(tmp_path)
    folder = tmp_path / "certificates"
    folder.mkdir()
    asked = await anyio.run_process(["openssl", "x509", "-hash", "-noout", "-in", str(issuer)])
    digest = asked.stdout.decode().strip()
    (folder / f"{digest}.0").write_bytes(issuer.read_bytes())
    named = {trusted_by: str(folder if trusted_by.endswith("DIR") else issuer)} if trusted_by else {}
    async with serving(lambda _: told(EMPTY), tls=tls) as (url, heard):
        code, words = await said(LIST, BARRACK_API_URL=f"{url}/api", **named)
    assert code == (0 if trusted_by else 4), words
    assert bool(heard) == bool(trusted_by)
    if not trusted_by:
        assert "its certificate comes from an issuer that this machine doesn't trust" in words
        assert "BARRACK_CA_FILE" in words


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("path", ["/nonexistent/ca.pem", "/etc/hostname"])
@pytest.mark.parametrize("command", [LIST, ["doctor"]], ids=["call", "doctor"])
async def test_certificates_that_another_program_left_unreadable_are_told_and_stop_nothing(
    variable: str, path: str, command: list[str]
) -> None:
    async with serving(lambda _: told(EMPTY)) as (url, heard):
        await said(command, BARRACK_API_URL=f"{url}/api", **{variable: path})
    assert heard


@pytest.mark.slow
@pytest.mark.parametrize(("path", "why"), [("/nonexistent/ca", "can't be read"), ("/etc/hostname", "no certificate")])
async def test_the_operators_own_certificates_must_be_some(path: str, why: str) -> None:
    code, words = await said(LIST, BARRACK_API_URL="https://barrack.test/api", BARRACK_CA_FILE=path)
    assert code == 2
    assert f"BARRACK_CA_FILE: {path}" in words
    assert why in words


@pytest.mark.parametrize(
    ("no_proxy", "url", "passes"),
    [
        ("", "https://barrack.ai/", True),
        ("", "https://127.0.0.9/", False),
        ("", "https://[::1]:9/", False),
        ("", "https://localhost/", False),
        ("*", "https://barrack.ai/", False),
        ("barrack.ai", "https://barrack.ai/", False),
        (".barrack.ai", "https://eu.barrack.ai/", False),
        ("ai", "https://barrack.ai/", False),
        ("rack.ai", "https://barrack.ai/", True),
        ("other.example, barrack.ai:8443", "https://barrack.ai:8443/", False),
        ("barrack.ai:8443", "https://barrack.ai/", True),
        ("10.0.0.0/8", "https://10.1.2.3/", False),
        ("10.0.0.0/8", "https://11.1.2.3/", True),
        ("fd00::/8", "https://[fd00::7]/", False),
    ],
)
def test_who_is_reached_without_the_proxy(no_proxy: str, url: str, passes: bool) -> None:  # noqa: FBT001 - a table's column
    network = Network(proxy=SecretStr("http://proxy.example:3128"), no_proxy=no_proxy)
    assert network.passes(httpx2.URL(url)) is passes


def test_the_operators_word_on_the_proxy_wins() -> None:
    around = Network.from_environ({"HTTPS_PROXY": "http://a.example", "NO_PROXY": "*"})
    assert around.by_settings(proxy=SecretStr("http://b.example"), ca_file=None).passes(
        httpx2.URL("https://barrack.ai")
    )
    assert around.by_settings(proxy=SecretStr("off"), ca_file=None).proxy is None
    assert not around.passes(httpx2.URL("https://barrack.ai"))


@pytest.mark.parametrize(
    ("host", "written"), [("127.0.0.2", "127.0.0.2:9"), ("::1", "[::1]:9"), ("localhost", "localhost:9")]
)
def test_an_address_is_written_as_a_browser_takes_it(host: str, written: str) -> None:
    assert write_place(host, 9) == written
    assert checked_url(f"http://{written}/api") == f"http://{written}/api"
