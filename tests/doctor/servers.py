"""What may stand where the API should be: raw servers on this machine, with and without TLS, and certificates."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.types import ASGIApp, Receive, Scope, Send

Answer = Callable[[bytes], bytes | None]
"""From a request's bytes to an answer's; None is silence."""


def http(status: str, body: bytes = b"", **headers: str) -> bytes:
    named = {"Content-Length": str(len(body)), "Connection": "close"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


def page(status: str = "200 OK", **headers: str) -> bytes:
    return http(status, b"<!DOCTYPE html><title>Hotel</title><h1>Log in</h1>", Content_Type="text/html", **headers)


def told(value: Any, status: str = "200 OK", **headers: str) -> bytes:
    return http(status, json.dumps(value).encode(), Content_Type="application/json", **headers)


@asynccontextmanager
async def serving(answer: Answer, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers each request as the test says; gives its address and what it was sent."""
    heard: list[bytes] = []
    ended = asyncio.Event()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            heard.append(request)
            reply = answer(request)
            if reply is None:
                await ended.wait()
            else:
                writer.write(reply)
                await writer.drain()
        except (OSError, EOFError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}", heard
    finally:
        ended.set()
        server.close()
        await server.wait_closed()


def certificate(
    folder: Path, *, days: tuple[int, int] = (-1, 30), host: str = "127.0.0.1", self_signed: bool = False
) -> tuple[Path, ssl.SSLContext]:
    """Make an issuer and a certificate of it, good from one day to another; gives the issuer's file and a context."""
    now = dt.datetime.now(dt.UTC)
    issuer_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test issuer")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test API")])
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    authority = (
        x509.CertificateBuilder()
        .subject_name(issuer_name)
        .issuer_name(issuer_name)
        .public_key(issuer_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=900))
        .not_valid_after(now + dt.timedelta(days=900))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    try:
        san: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        san = x509.DNSName(host)
    signer, signer_name = (key, name) if self_signed else (issuer_key, issuer_name)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(signer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=days[0]))
        .not_valid_after(now + dt.timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName([san]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "leaf.pem").write_bytes(secret + leaf.public_bytes(pem))
    (folder / "issuer.pem").write_bytes(authority.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.pem")
    return folder / "issuer.pem", context


class Changed:
    """An API before a simulator that answers some paths itself, under other paths, or in another shape.

    Args:
        app: The simulator.
        moved: What it calls a path, and the simulator's name for it; the simulator's own is then unknown.
        answers: By path, what becomes of the simulator's answer: a status and a body.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        moved: Callable[[str], str | None] | None = None,
        answers: dict[str, Callable[[Any], tuple[int, Any]]] | None = None,
    ) -> None:
        self._app = app
        self._moved = moved
        self._answers = answers or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        path = scope["raw_path"].decode().removeprefix("/api")
        theirs = self._moved(path) if self._moved else path
        if theirs is None:
            await _send(send, 404, {"detail": "Not found."})
            return
        head: dict[str, Any] = {}
        body = bytearray()

        async def keep(message: Any) -> None:
            if message["type"] == "http.response.start":
                head.update(message)
            else:
                body.extend(message.get("body", b""))

        changed = dict(scope) | {"raw_path": f"/api{theirs}".encode(), "path": f"/api{theirs}"}
        await self._app(changed, receive, keep)
        value, status = json.loads(bytes(body)), head["status"]
        if status == 200 and path in self._answers:
            status, value = self._answers[path](value)
        await _send(send, status, value)


async def _send(send: Send, status: int, value: Any) -> None:
    raw = json.dumps(value).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": raw})
