"""Start what the image starts, as the image starts it, as far as that goes without a container engine.

A root of its own, for reading alone, holds the system's libraries, Python and the product from a wheel where the image
has it; volumes are mounted where Compose or Kubernetes mounts them, secrets as they mount them; the command, its
environment and its user are read from the Dockerfile, compose.yaml and Kubernetes' files. All of that lives in mounts
and a network of this process alone, which wants root. Not tried is how an image is built, and what a cluster does.

Arguments: the folder for passing things, and the virtual environment that has the product.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import anyio
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests import test_deploy_clusters as clusters
from tests.support.image import Image, read_image

LONGEST_S: Final = 60
SYSTEM: Final = ("usr", "lib", "lib64", "bin", "sbin")
OF_ETC: Final = ("ld.so.cache", "ssl", "ca-certificates")
"""What libraries and certificates are found by; the rest of /etc is this machine's own."""
UP: Final = 0x1 | 0x40
SET_FLAGS: Final = 0x8914
TRIED: Final = """
import pathlib, sys
for place in sys.argv[1:]:
    try:
        pathlib.Path(place, "probe").touch()
        pathlib.Path(place, "probe").unlink()
    except OSError:
        continue
    print(place)
"""
PUBLIC: Final = "bot.example.com"


def say(line: str) -> None:
    """Write a line."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def mount(*words: str | Path) -> None:
    """Mount something, in this process's mounts alone."""
    subprocess.run(["mount", *map(str, words)], check=True)  # noqa: S603, S607 - the system's, with our own words


@dataclass
class Container:
    """A root as the image has it, and what is mounted over it.

    Args:
        image: What the Dockerfile says.
        venv: Where the product is installed.
        scratch: A folder for passing things.
        name: Its own folder there.
        volumes: What can be written, by where it is mounted.
    """

    image: Image
    venv: Path
    scratch: Path
    name: str
    volumes: Mapping[str, Path] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """Its root."""
        return self.scratch / self.name

    @property
    def numbers(self) -> tuple[int, int]:
        """Its user and group."""
        user, group = self.image.user.split(":")
        return int(user), int(group)

    def build(self, *, secrets: Mapping[str, str], at: str, mode: int, like: str) -> None:
        """Put it together, and let nobody write to it any more.

        Args:
            secrets: What secrets hold, by their names.
            at: Where they are mounted.
            mode: With which rights.
            like: What the engine leaves by which a process knows that it is in a container.
        """
        self.root.mkdir()
        mount("-t", "tmpfs", "-o", "mode=755", "none", self.root)
        for name in SYSTEM:
            here = Path("/", name)
            if here.is_symlink():
                self._in(name).symlink_to(here.readlink())
            elif here.exists():
                self._bind(here, f"/{name}")
        for name in OF_ETC:
            if Path("/etc", name).exists():
                self._bind(Path("/etc", name), f"/etc/{name}")
        if not sys.base_prefix.startswith("/usr"):
            self._bind(Path(sys.base_prefix), sys.base_prefix)
        home = Path(self.image.env["PATH"].split(":")[0]).parent
        self._bind(self.venv, home.as_posix())
        start = f"bin/{self.image.entrypoint[0]}"
        # it names the Python beside it by its path
        moved = self.scratch / f"{self.name}-start"
        moved.write_text((self.venv / start).read_text("utf-8").replace(str(self.venv), str(home)), encoding="utf-8")
        moved.chmod(0o755)
        mount("--bind", moved, self._in(f"{home}/{start}"))
        for name in ("null", "zero", "urandom", "random"):
            self._in("dev").mkdir(exist_ok=True)
            self._in(f"dev/{name}").touch()
            mount("--bind", f"/dev/{name}", self._in(f"dev/{name}"))
        self._in("proc").mkdir()
        mount("--rbind", "/proc", self._in("proc"))
        self._in(like).parent.mkdir(parents=True, exist_ok=True)
        self._in(like).touch()
        self._in("tmp").mkdir()
        mount("-t", "tmpfs", "-o", "mode=1777", "none", self._in("tmp"))
        self._in(at).mkdir(parents=True, exist_ok=True)
        for name, text in secrets.items():
            file = self._in(f"{at}/{name}")
            file.write_text(text, encoding="utf-8")
            # as the engine mounts it: the system's own, its group that of the pod, or whoever's it was on the host
            os.chown(file, 0, self.numbers[1])
            file.chmod(mode)
        for where, volume in self.volumes.items():
            self._in(where).mkdir()
            mount("--bind", volume, self._in(where))
        mount("-o", "remount,ro", self.root)

    def command(self, words: Sequence[str], settings: Mapping[str, str]) -> list[str]:
        """Answer what runs a command in it, as its user, without rights, in its environment."""
        user, group = self.numbers
        env = {**self.image.env, **settings}
        return [
            *("chroot", str(self.root)),
            *("setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs"),
            *("--bounding-set=-all", "--inh-caps=-all"),
            *("env", "-i", *(f"{name}={value}" for name, value in env.items())),
            *words,
        ]

    def run(self, words: Sequence[str], settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a command in it to its end."""
        command = self.command(words, settings)
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=LONGEST_S)  # noqa: S603 - our own

    @contextmanager
    def serving(self, words: Sequence[str], settings: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
        """Run a server in it while the block runs, and see that it ends softly."""
        log = self.scratch / f"{self.name}.log"
        with log.open("w", encoding="utf-8") as errors:
            server = subprocess.Popen(self.command(words, settings), stderr=errors, text=True)  # noqa: S603 - our own
            try:
                yield server
                server.terminate()
                code = server.wait(LONGEST_S)
            except BaseException:
                sys.stderr.write(log.read_text(encoding="utf-8"))
                raise
            finally:
                server.kill()
        if code != 0:
            raise AssertionError(f"{self.name}: ended with {code}\n{log.read_text(encoding='utf-8')}")

    def _in(self, where: str) -> Path:
        return self.root / where.lstrip("/")

    def _bind(self, here: Path, there: str) -> None:
        self._in(there).parent.mkdir(parents=True, exist_ok=True)
        self._in(there).mkdir() if here.is_dir() else self._in(there).touch()
        mount("--bind", here, self._in(there))
        mount("-o", "remount,bind,ro", self._in(there))


def volume(scratch: Path, name: str, owner: tuple[int, int], mode: int) -> Path:
    """Make what is mounted as a volume."""
    folder = scratch / name
    folder.mkdir()
    os.chown(folder, *owner)
    folder.chmod(mode)
    return folder


def raise_loopback() -> None:
    """Let this process's network have the one address that reaches itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        fcntl.ioctl(asking, SET_FLAGS, struct.pack("16sH14x", b"lo", UP))


async def healthy(url: str, headers: Mapping[str, str]) -> None:
    """Ask as a probe does, until it is answered."""
    async with httpx2.AsyncClient(headers=headers) as http:
        with anyio.fail_after(LONGEST_S):
            while True:
                try:
                    (await http.get(url)).raise_for_status()
                except httpx2.TransportError:
                    await anyio.sleep(0.05)
                else:
                    return


@asynccontextmanager
async def connected(url: str, token: str) -> AsyncIterator[Client]:
    """Connect as a caller does behind the proxy, which says for which name the request came."""
    headers = {"Authorization": f"Bearer {token}", "Host": PUBLIC}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


async def ask(url: str, token: str) -> int:
    """Let a call through; answers how many tools are listed."""
    async with connected(url, token) as client:
        tools = (await client.list_tools()).tools
        if (await client.call_tool("get_credit_balance", {})).is_error:
            raise AssertionError("the call was not answered")
    return len(tools)


def check_walls(container: Container, settings: Mapping[str, str], writable: Sequence[str]) -> None:
    """See that nothing can be written but what is meant for it."""
    places = ("/", "/usr", "/etc", "/opt/barrack-mcp", *writable)
    could = container.run(["python", "-c", TRIED, *places], settings).stdout.split()
    if could != [*writable]:
        raise AssertionError(f"{container.name}: could write to {', '.join(could)}")


def as_compose(image: Image, venv: Path, scratch: Path) -> None:
    """Run a server of compose.yaml: a caller is added, it serves, and it is well by its own check."""
    server = next(iter(clusters.SERVERS.values()))
    places = [each.split(":")[1] for each in server["volumes"]]
    volumes = {place: volume(scratch, f"compose{place.replace('/', '-')}", (65532, 65532), 0o700) for place in places}
    container = Container(image, venv, scratch, "compose", volumes)
    secrets = {name: clusters.SECRETS[name] or "/state/state.db" for name in server["secrets"]}
    container.build(secrets=secrets, at="/run/secrets", mode=0o644, like="/.dockerenv")
    settings = {**server["environment"], "BARRACK_PUBLIC_URL": f"https://{PUBLIC}", "BARRACK_SIMULATOR": "1"}
    check_walls(container, settings, ("/tmp", *places))  # noqa: S108 - what the image has
    added = container.run([*image.entrypoint, "callers", "add", "ada"], settings)
    if added.returncode != 0:
        raise AssertionError(added.stderr)
    began = time.monotonic()
    with container.serving([*image.entrypoint, *server["command"]], settings):
        anyio.run(healthy, f"http://127.0.0.1:{image.port}/health", {})
        ready = time.monotonic() - began
        tools = anyio.run(ask, f"http://127.0.0.1:{image.port}/mcp", added.stdout.strip())
        if (said := container.run(image.check, settings)).returncode != 0:
            raise AssertionError(f"its own check says: {said.stderr}")
    say(f"as Compose starts it, as {image.user}, on a root for reading alone: there in {ready:.1f} s, {tools} tools")


def as_kubernetes(image: Image, venv: Path, scratch: Path) -> None:
    """Run a pod of the Deployment and one of the CronJob, with the settings and mounts of theirs."""
    shared = dict(each.split("=", 1) for each in clusters.KINDS["Kustomization"]["configMapGenerator"][0]["literals"])
    state = volume(scratch, "claim", (0, 65532), 0o2775)
    token = ""
    for name, template in clusters.PODS.items():
        (pod,) = template["spec"]["containers"]
        mounts = {each["name"]: each["mountPath"] for each in pod["volumeMounts"]}
        container = Container(image, venv, scratch, f"pod-{name}", {mounts["state"]: state})
        keeping = {"BARRACK_HTTP_TOKENS_FILE": "/tmp/callers.toml"}  # noqa: S108 - in that container alone
        if not token:
            # whoever runs it adds callers where they keep the secret
            keeper = Container(image, venv, scratch, "keeper")
            keeper.build(secrets={}, at="/etc/barrack-mcp", mode=0o400, like="/dev/termination-log")
            added = keeper.run([*image.entrypoint, "callers", "add", "ada"], keeping)
            token, callers = added.stdout.strip(), (keeper.root / "tmp/callers.toml").read_text(encoding="utf-8")
        secrets = {**clusters.SECRETS, "state": f"{mounts['state']}/shared.db", "callers.toml": callers}
        container.build(secrets=secrets, at=mounts["secrets"], mode=0o440, like="/dev/termination-log")
        own = {each["name"]: each["value"].replace("$(POD)", name) for each in pod["env"] if "value" in each}
        settings = {**shared, **own, "BARRACK_PUBLIC_URL": f"https://{PUBLIC}", "BARRACK_SIMULATOR": "1"}
        words = [*image.entrypoint, *pod["args"]]
        if name == "reap":
            done = container.run(words, settings)
            if done.returncode != 0:
                raise AssertionError(f"reap: {done.stderr}")
            say(f"as Kubernetes runs the job: {done.stdout.strip()}")
            continue
        check_walls(container, settings, (mounts["passing"], mounts["state"]))
        with container.serving(words, settings):
            probe = pod["readinessProbe"]["httpGet"]
            headers = {each["name"]: each["value"] for each in probe["httpHeaders"]}
            anyio.run(healthy, f"http://127.0.0.1:{image.port}{probe['path']}", headers)
            tools = anyio.run(ask, f"http://127.0.0.1:{image.port}/mcp", token)
        say(f"as Kubernetes starts it: the probe is answered, {tools} tools")


def main(scratch: Path, venv: Path) -> None:
    """Start everything, in mounts and a network of this process alone."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        say("NOT RUN: the image's command as it is in a container; that wants root and unshare")
        return
    if "--inside" not in sys.argv:
        again = ["unshare", "--mount", "--net", sys.executable, *sys.argv, "--inside"]
        raise SystemExit(subprocess.run(again, check=False).returncode)  # noqa: S603 - this script
    mount("--make-rprivate", "/")
    raise_loopback()
    own = scratch / "image"
    own.mkdir()
    image = read_image()
    as_compose(image, venv, own)
    as_kubernetes(image, venv, own)


main(Path(sys.argv[1]), Path(sys.argv[2]))
