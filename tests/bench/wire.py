"""Clients that speak the wire itself, so that what is measured is the server and hardly the client."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeAlias

from tests.bench.servers import PORT, Server, environment

Era: TypeAlias = Literal["legacy", "modern"]
ERAS: Final[tuple[Era, ...]] = ("legacy", "modern")
_META: Final = {
    "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
}
_INITIALIZE: Final = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "bench", "version": "1"},
}
_LISTENS_S: Final = 30.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class RefusedError(Exception):
    """A server answered otherwise than it has to for its time to mean anything."""


def frame(method: str, params: Mapping[str, Any], era: Era, ident: int | None = 1) -> bytes:
    """Write a request, or a notification where there is no id."""
    named = {"id": ident} if ident is not None else {}
    meta = _META if era == "modern" else {}
    return json.dumps({"jsonrpc": "2.0", **named, "method": method, "params": {**params, **meta}}).encode()


def called(server: Server) -> dict[str, Any]:
    """The parameters of the call that a server is measured by."""
    return {"name": server.tool, "arguments": dict(server.arguments)}


def checked(answer: bytes) -> bytes:
    """Answer what came, if it is a result.

    Raises:
        RefusedError: It is none.
    """
    if b'"result":' not in answer or b'"isError":true' in answer:
        raise RefusedError(answer[:500].decode(errors="replace"))
    return answer


class Process:
    """A server that was started.

    Args:
        command: What starts it.
        server: Which it is.
        folder: Where its state and what is compiled of it may lie.
    """

    def __init__(self, command: tuple[str, ...], server: Server, folder: Path) -> None:
        self.begun = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(server, folder),
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.stdin, self.stdout = self._process.stdin.fileno(), self._process.stdout.fileno()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def resident_mb(self) -> float:
        """The memory that it holds."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    @property
    def cpu_s(self) -> float:
        """The processor's time that it took so far."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / _TICKS

    @property
    def descriptors(self) -> int:
        """The files and sockets that it holds open."""
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))

    @property
    def ended(self) -> bool:
        """Whether it has."""
        return self._process.poll() is not None


class Pipe:
    """A client at a server's stdin and stdout, one request at a time."""

    def __init__(self, process: Process, era: Era) -> None:
        self._process = process
        self._era = era
        self._rest = b""

    def greet(self) -> None:
        """Begin as the era wants it."""
        if self._era == "legacy":
            self.ask("initialize", _INITIALIZE)
            self._write(frame("notifications/initialized", {}, self._era, None))

    def ask(self, method: str, params: Mapping[str, Any] | None = None) -> bytes:
        """Send a request and wait for its answer."""
        return self.send(frame(method, params or {}, self._era))

    def send(self, request: bytes) -> bytes:
        """Send a request that is written already and wait for its answer; what was not asked for is passed over."""
        self._write(request)
        while True:
            line = self._line()
            if b'"id":1' in line or b'"id": 1' in line:
                return checked(line)

    def _write(self, data: bytes) -> None:
        os.write(self._process.stdin, data + b"\n")

    def _line(self) -> bytes:
        parts = [self._rest]
        while b"\n" not in parts[-1]:
            if not (chunk := os.read(self._process.stdout, 1 << 18)):
                raise RefusedError("it ended")
            parts.append(chunk)
        line, _, self._rest = b"".join(parts).partition(b"\n")
        return line


@contextmanager
def piped(server: Server, folder: Path, era: Era = "modern") -> Iterator[tuple[Process, Pipe]]:
    """Start a server over stdio."""
    with Process(server.stdio, server, folder) as process:
        yield process, Pipe(process, era)


@contextmanager
def listening(server: Server, folder: Path) -> Iterator[tuple[Process, int]]:
    """Start a server over HTTP; answers at which port."""
    port = free_port()
    with Process(tuple(word.replace(PORT, str(port)) for word in server.http), server, folder) as process:
        until = time.monotonic() + _LISTENS_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except OSError:
                if time.monotonic() > until or process.ended:
                    raise RefusedError(f"{server.name} doesn't listen") from None
                time.sleep(0.05)
            else:
                break
        yield process, port


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


class Posts:
    """What is sent over HTTP to one server in one era, and how its answers are read.

    Args:
        port: Where it listens.
        era: In which era.
        token: What the caller shows at the login, if there is one.
    """

    def __init__(self, port: int, era: Era, token: str = "") -> None:
        self._port = port
        self._era = era
        self._token = token
        self._session = ""

    def greet(self, connection: socket.socket) -> None:
        """Begin as the era wants it, at a connection of its own."""
        if self._era == "legacy":
            head, _ = exchanged(connection, self.request("initialize", _INITIALIZE))
            lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
            self._session = lines.get(b"mcp-session-id", b"").decode()
            exchanged(connection, self.request("notifications/initialized", {}, None))

    def request(self, method: str, params: Mapping[str, Any], ident: int | None = 1) -> bytes:
        """Write a request with its head."""
        body = frame(method, params, self._era, ident)
        head = {
            "host": f"127.0.0.1:{self._port}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "content-length": str(len(body)),
        }
        if self._token:
            head["authorization"] = f"Bearer {self._token}"
        if self._era == "modern":
            head |= {"mcp-protocol-version": "2026-07-28", "mcp-method": method}
            head |= {"mcp-name": str(params["name"])} if "name" in params else {}
        elif method != "initialize":
            head["mcp-protocol-version"] = _INITIALIZE["protocolVersion"]  # type: ignore[assignment]  # it is a text
        if self._session:
            head["mcp-session-id"] = self._session
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        return f"POST /mcp HTTP/1.1\r\n{lines}\r\n".encode() + body


def connected(port: int) -> socket.socket:
    """Open a connection that sends at once what is written."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def exchanged(connection: socket.socket, request: bytes) -> tuple[bytes, bytes]:
    """Send a request and read its whole answer: head and body."""
    connection.sendall(request)
    data = b""
    while not is_whole(data):
        if not (chunk := connection.recv(1 << 18)):
            raise RefusedError("the connection was closed")
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 202")):
        raise RefusedError(data[:500].decode(errors="replace"))
    return head, body


def is_whole(data: bytes) -> bool:
    """Whether these bytes are a whole HTTP answer."""
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return False
    small = head.lower()
    _, said, after = small.partition(b"content-length: ")
    if said:
        return len(body) >= int(after.split(b"\r\n", 1)[0])
    return body.endswith(b"0\r\n\r\n") if b"transfer-encoding: chunked" in small else True
