"""Start what the image starts, as the image starts it, as far as that goes without a container engine.

A root of its own, for reading alone, holds the system's libraries, Python and the product from a wheel where the image
has it; volumes are mounted where Compose or Kubernetes mounts them, secrets as they mount them; the command, its
environment and its user are read from the Dockerfile, compose.yaml and Kubernetes' files. All of that lives in mounts
and a network of this process alone, which wants root. Not tried is how an image is built, and what a cluster does.

Arguments: the folder for passing things, the virtual environment that has the product, and Caddy.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import anyio
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests import test_deploy_clusters as clusters
from tests.support.house import ERAS
from tests.support.image import Image, read_image

LONGEST_S: Final = 60
SYSTEM: Final = ("usr", "lib", "lib64", "bin", "sbin")
OF_ETC: Final = ("hosts", "nsswitch.conf", "ld.so.cache", "ssl", "ca-certificates")
"""What names, libraries and certificates are found by; the rest of /etc is this machine's own."""
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
ADDRESSES: Final = {name: f"127.0.0.{number}" for number, name in enumerate(clusters.SERVERS, start=1)}
CALLS: Final = 6
API: Final = "http://127.0.0.1:8900/api"


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
                except (httpx2.TransportError, httpx2.HTTPStatusError):
                    await anyio.sleep(0.05)
                else:
                    return


@asynccontextmanager
async def connected(
    url: str, token: str, trusted: ssl.SSLContext | None = None, era: str = ERAS[-1]
) -> AsyncIterator[Client]:
    """Connect as a caller does, or as the proxy does, which says for which name the request came."""
    headers = {"Authorization": f"Bearer {token}", "Host": PUBLIC}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30, verify=trusted or True) as http,
        Client(streamable_http_client(url, http_client=http), mode=era) as client,
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


@contextmanager
def sharing(scratch: Path) -> Iterator[None]:
    """Run Redis by the command of compose.yaml, with the secret of its password, while the block runs."""
    service = clusters.SERVICES["redis"]
    (secret,) = service["secrets"]
    conf, kept = scratch / secret, scratch / "redis"
    conf.write_text(f"{clusters.SECRETS[secret]}\nlogfile {scratch}/redis.log\n", encoding="utf-8")
    kept.mkdir()
    moved = {f"/run/secrets/{secret}": str(conf), "/data": str(kept)}
    with subprocess.Popen([moved.get(word, word) for word in service["command"]]) as redis:  # noqa: S603 - ours
        try:
            yield
        finally:
            redis.terminate()


@contextmanager
def proxying(caddy: Path, scratch: Path) -> Iterator[Path]:
    """Run Caddy by its Caddyfile while the block runs; gives the certificate of its own authority.

    Here is nobody who makes certificates for others, and this machine is to trust none of them.
    """
    env = {**os.environ, "BOT_HOST": PUBLIC, "XDG_DATA_HOME": str(scratch), "XDG_CONFIG_HOME": str(scratch)}
    file = clusters.MANIFESTS / "docker" / "Caddyfile"
    adapt = [str(caddy), "adapt", "--adapter", "caddyfile", "--config", str(file)]
    said = subprocess.run(adapt, check=True, capture_output=True, text=True, env=env)  # noqa: S603 - our own words
    made = json.loads(said.stdout)
    made["apps"]["pki"] = {"certificate_authorities": {"local": {"install_trust": False}}}
    made["apps"]["tls"] = {"automation": {"policies": [{"issuers": [{"module": "internal"}]}]}}
    (scratch / "caddy.json").write_text(json.dumps(made), encoding="utf-8")
    run = [str(caddy), "run", "--config", str(scratch / "caddy.json")]
    with (scratch / "caddy.log").open("w") as log, subprocess.Popen(run, env=env, stderr=log) as proxy:  # noqa: S603 - ours
        try:
            yield scratch / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        finally:
            proxy.terminate()


def built(image: Image, venv: Path, scratch: Path) -> dict[str, Container]:
    """Put a container together for each server of compose.yaml, on the volumes that they share."""
    containers: dict[str, Container] = {}
    shared: dict[str, Path] = {}
    for name, server in clusters.SERVERS.items():
        mounted = dict(each.split(":") for each in server["volumes"])
        shared |= {each: volume(scratch, each, (65532, 65532), 0o700) for each in mounted if each not in shared}
        containers[name] = Container(image, venv, scratch, name, {at: shared[each] for each, at in mounted.items()})
        secrets = {each: clusters.SECRETS[each] for each in server["secrets"]}
        containers[name].build(secrets=secrets, at="/run/secrets", mode=0o644, like="/.dockerenv")
        check_walls(containers[name], {}, ("/tmp", *mounted.values()))  # noqa: S108 - what the image has
    return containers


def as_compose(image: Image, venv: Path, caddy: Path, scratch: Path) -> None:
    """Run all of compose.yaml: a caller is added, two servers serve behind the proxy, and one of them goes."""
    containers = built(image, venv, scratch)
    one = containers[min(containers)]
    settings = {**clusters.SERVERS[one.name]["environment"], "BARRACK_PUBLIC_URL": f"https://{PUBLIC}"}
    settings["BARRACK_API_URL"] = API
    added = one.run([*image.entrypoint, "callers", "add", "ada"], settings)
    began = time.monotonic()
    with ExitStack() as running:
        root = running.enter_context(proxying(caddy, scratch))
        endings = {}
        for name, container in containers.items():
            # there is one network here, so that each has an address of its own
            words = [*image.entrypoint, *clusters.SERVERS[name]["command"], "--host", ADDRESSES[name]]
            endings[name] = running.enter_context(ExitStack())
            endings[name].enter_context(container.serving(words, settings))
        for address in ADDRESSES.values():
            anyio.run(healthy, f"http://{address}:{image.port}/health", {})
        ready = time.monotonic() - began
        if (said := one.run(image.check, settings)).returncode != 0:
            raise AssertionError(f"its own check says: {said.stderr}")
        while not root.exists() and time.monotonic() - began < LONGEST_S:
            time.sleep(0.05)
        anyio.run(behind, root, added.stdout.strip(), endings[one.name].close)
    for name, container in containers.items():
        if not any(each.is_file() for each in container.volumes["/state"].rglob("audit*")):
            raise AssertionError(f"{name} kept no record")
    say(f"as Compose starts it, as {image.user}, on a root for reading alone: both there in {ready:.1f} s")
    say("through the proxy: nothing without a token, and what waits for a yes is known to the other when one goes")


async def behind(root: Path, token: str, end_one: Callable[[], None]) -> None:
    """Call through the proxy as a caller does, while one of two servers goes."""
    url = f"https://{PUBLIC}"
    trusted = ssl.create_default_context(cafile=root)
    async with httpx2.AsyncClient(verify=trusted) as http:
        shown = [(await http.get(f"{url}{path}")).status_code for path in ("/", "/health", "/ready", "/metrics")]
        closed = [(await http.post(f"{url}/mcp", json={})).status_code for _ in range(4)]
    if (shown, closed) != ([404] * 4, [401] * 4):
        raise AssertionError(f"from outside: {shown}, without a token: {closed}")
    asked = [await _ask_to_stop(url, token, trusted, era) for era in ERAS]
    await anyio.to_thread.run_sync(end_one)
    asked += [await _ask_to_stop(url, token, trusted, era) for era in ERAS]
    if len(set(asked)) != 1 or not asked[0]:
        raise AssertionError(f"what waits for a yes: {asked}")


async def _ask_to_stop(url: str, token: str, trusted: ssl.SSLContext, era: str) -> str:
    """Ask for what wants a person's yes; answers under which id it waits."""
    async with connected(f"{url}/mcp", token, trusted, era) as client:
        # whichever server each of these goes to
        for _ in range(CALLS):
            await client.list_tools()
        called = await client.call_tool("stop_instance", {"instance_id": "train-1"})
    return str((called.structured_content or {}).get("approval", {}).get("id", ""))


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
        secrets = {**clusters.SECRETS, "callers.toml": callers}
        container.build(secrets=secrets, at=mounts["secrets"], mode=0o440, like="/dev/termination-log")
        own = {each["name"]: each["value"].replace("$(POD)", name) for each in pod["env"] if "value" in each}
        settings = {**shared, **own, "BARRACK_PUBLIC_URL": f"https://{PUBLIC}", "BARRACK_API_URL": API}
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


@contextmanager
def simulating(venv: Path) -> Iterator[None]:
    """Run the fake Barrack that all servers share while the block runs."""
    words = [str(venv / "bin" / "barrack-mcp"), "simulate", "--port", API.split(":")[-1].split("/")[0]]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as simulator:  # noqa: S603 - ours
        try:
            yield
        finally:
            simulator.terminate()


def main(scratch: Path, venv: Path, caddy: Path) -> None:
    """Start everything, in mounts and a network of this process alone."""
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("redis-server") is None:
        say("NOT RUN: the image's command as it is in a container; that wants root, unshare and redis-server")
        return
    if "--inside" not in sys.argv:
        again = ["unshare", "--mount", "--net", sys.executable, *sys.argv, "--inside"]
        raise SystemExit(subprocess.run(again, check=False).returncode)  # noqa: S603 - this script
    mount("--make-rprivate", "/")
    raise_loopback()
    own = scratch / "image"
    own.mkdir()
    names = own / "hosts"
    known = {"localhost": "127.0.0.1", PUBLIC: "127.0.0.1", "redis": "127.0.0.1", **ADDRESSES}
    names.write_text("".join(f"{address} {name}\n" for name, address in known.items()), encoding="utf-8")
    mount("--bind", names, "/etc/hosts")
    image = read_image()
    with sharing(own), simulating(venv):
        as_compose(image, venv, caddy, own)
        as_kubernetes(image, venv, own)


main(*map(Path, sys.argv[1:4]))
