"""A fake Barrack whose clock stands still until a test moves it, and the calls that tests make to it."""

from __future__ import annotations

from typing import Any

import httpx2

from barrack_mcp.api.http.in_process import InProcess
from barrack_mcp.simulator import Barrack, create_app

Json = dict[str, Any]
UBUNTU = "Ubuntu 22.04 LTS"
SSH = {
    "direction": "ingress",
    "ethertype": "IPv4",
    "protocol": "tcp",
    "remote_ip_prefix": "10.0.0.0/8",
    "port_range_min": 22,
    "port_range_max": 22,
}


class Box:
    """The fake and a client of it, in one process."""

    def __init__(self, *, scenario: str = "small", seed: int = 1, key: str = "sim-key", **more: Any) -> None:
        self.app = create_app(scenario=scenario, seed=seed, now=lambda: 0.0, **more)
        self.barrack: Barrack = self.app.state.barrack
        self.key = key
        self.client = httpx2.AsyncClient(transport=InProcess(self.app), base_url="http://sim", trust_env=False)

    async def send(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """One call to the API, as it comes."""
        headers = {"Authorization": f"Bearer {self.key}"} | more.pop("headers", {})
        return await self.client.request(method, f"/api{path}", headers=headers, **more)

    async def call(self, method: str, path: str, body: Any = None, *, expect: int = 200, **query: Any) -> Json:
        """One call that must be answered with this status."""
        more = {} if body is None else {"json": body}
        answer = await self.send(method, path, params=query, **more)
        assert answer.status_code == expect, answer.text
        told: Json = answer.json()
        return told

    async def get(self, path: str, expect: int = 200, **query: Any) -> Json:
        return await self.call("GET", path, expect=expect, **query)

    async def post(self, path: str, body: Any = None, status: int = 200) -> Json:
        return await self.call("POST", path, body, expect=status)

    async def delete(self, path: str, status: int = 200) -> Json:
        return await self.call("DELETE", path, expect=status)

    async def control(self, path: str, body: Any = None, status: int = 200) -> Any:
        """A look at `/_sim`, or, with a body, a deed there."""
        method, more = ("GET", {}) if body is None else ("POST", {"json": body})
        answer = await self.client.request(method, f"/_sim/{path}", **more)
        assert answer.status_code == status, answer.text
        return answer.json()

    def wait(self, seconds: float) -> None:
        """Let simulated time pass."""
        self.barrack.clock.advance(seconds)

    def id(self, kind: str, name: str) -> str:
        """The id of the thing of this kind and name."""
        things = getattr(self.barrack.world(self.key), kind)
        found: str = next(thing_id for thing_id, thing in things.items() if thing.name == name)
        return found

    def instance(self, name: str) -> str:
        return self.id("instances", name)

    def effects(self) -> list[str]:
        """The operations that took effect."""
        return [entry["operation"] for entry in self.barrack.journal]

    def wish(self, **more: Any) -> Json:
        """A deployment that is fine but for what is given."""
        keys = list(self.barrack.world(self.key).keys)
        wish = {
            "name": "new-1",
            "tier": "legacy",
            "region": "CANADA-1",
            "gpu_model": "RTX-A6000",
            "gpu_count": 1,
            "boot_source": "os_image",
            "os_image": UBUNTU,
            "ssh_key_ids": keys[:1],
        }
        return {name: value for name, value in (wish | more).items() if value is not ...}

    async def deploy(self, status: int = 201, **more: Any) -> Json:
        return await self.post("/instances/deploy/", self.wish(**more), status)

    async def status(self, instance_id: str) -> str:
        """The state of a machine."""
        state: str = (await self.get(f"/instances/{instance_id}/"))["instance"]["status"]
        return state
