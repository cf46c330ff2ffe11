"""Compose and Kubernetes: what hangs together does, and what is given to the server is what the server takes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import pytest
import yaml
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from pydantic import SecretStr

from barrack_mcp.config import Settings, read_settings
from barrack_mcp.guard.page.login.page import PATH as PAGE
from barrack_mcp.transports.login import OPEN
from barrack_mcp.transports.login.resource import WELL_KNOWN
from barrack_mcp.transports.monitoring.ready import PATIENCE_S
from barrack_mcp.transports.monitoring.routes import METRICS, READY
from tests.support.callers import served
from tests.support.image import read_image
from tests.support.pages import BLOCKS, TYPED
from tests.test_deploy_files import DRAIN_S, MANIFESTS, PORT, check_arguments

IMAGE: Final = read_image()
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((MANIFESTS / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: Final[dict[str, Any]] = COMPOSE["services"]
SERVERS: Final = {name: each for name, each in SERVICES.items() if "build" in each}
BASE: Final = MANIFESTS / "kubernetes" / "base"
KINDS: Final[dict[str, Any]] = {
    each["kind"]: each
    for each in (yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(BASE.glob("*.yaml")))
}
PODS: Final = {
    "serve": KINDS["Deployment"]["spec"]["template"],
    "reap": KINDS["CronJob"]["spec"]["jobTemplate"]["spec"]["template"],
}
SECRETS: Final = {
    "api-key": "sim-key",
    "state": "redis://:word@redis:6379/0",
    "state-keys": "k" * 32,
    "callers.toml": "",
    "redis.conf": "requirepass word",
}
CADDY: Final = (MANIFESTS / "docker" / "Caddyfile").read_text(encoding="utf-8")


def read_as_given(given: Mapping[str, str], mounted: str, folder: Path) -> Settings:
    """Read settings as a container gets them: what they name below a mount stands in a folder here."""
    for name, text in SECRETS.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o600)
    return read_settings({name: value.replace(mounted, str(folder)) for name, value in given.items()})


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the page is typed into a POSIX shell")
def test_the_page_makes_each_secret_in_the_form_in_which_it_is_read(tmp_path: Path) -> None:
    block = next(each for each in TYPED if each.page == "docs/team.md" and "requirepass" in each.text)
    subprocess.run(["sh", "-ec", block.text], check=True, env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]})  # noqa: S607 - the system's
    folder = tmp_path / "bot"
    (folder / "api-key").write_text("k-1")
    named = {each["file"].rpartition("/")[2] for each in COMPOSE["secrets"].values()}
    assert {*COMPOSE["secrets"]} == named == {each.name for each in folder.iterdir()} - {"compose.env"}
    said = dict(line.split("=") for line in (folder / "compose.env").read_text(encoding="utf-8").splitlines())
    text = (MANIFESTS / "compose.yaml").read_text(encoding="utf-8")
    assert {*said} == {*re.findall(r"\$\{(\w+)", text)}
    assert said["BOT_SECRETS"] == str(folder)
    for each in folder.iterdir():
        each.chmod(0o600)
    given = {
        name: str(folder / secret)
        for name, secret in (("BARRACK_STATE_FILE", "state"), ("BARRACK_STATE_KEYS_FILE", "state-keys"))
    }
    settings = read_settings(given)
    assert isinstance(settings.state, SecretStr)
    (word,) = re.findall(r"^requirepass (\w{64})$", (folder / "redis.conf").read_text(encoding="utf-8"), re.MULTILINE)
    assert urlsplit(settings.state.get_secret_value()).netloc == f":{word}@redis:6379"
    assert (folder.stat().st_mode & 0o777, len(settings.sealing_keys)) == (0o700, 1)


@pytest.mark.anyio
async def test_the_pages_own_bot_calls_as_it_stands_there(tmp_path: Path) -> None:
    (block,) = (
        each
        for each in BLOCKS
        if each.page == "docs/team.md" and "bot.example.com" in each.text and each.language == "python"
    )
    async with served(tmp_path, {"bot": ()}) as made:
        body = block.text.replace("https://bot.example.com", made.url)
        known: dict[str, Any] = {"httpx2": httpx2, "Client": Client, "streamable_http_client": streamable_http_client}
        exec(f"async def call(token, user):\n{textwrap.indent(body, '    ')}    return tools, answer\n", known)  # noqa: S102 - our own page
        tools, answer = await known["call"](made.desk.tokens["bot"], "ada")
    assert len(tools) > 60
    assert not answer.is_error


@pytest.mark.parametrize("language", ["json", "yaml"])
def test_what_clients_read_names_the_address_and_a_token(language: str) -> None:
    shown = (each for each in BLOCKS if each.page == "docs/team.md" and each.language == language)
    (block,) = (each for each in shown if "mcpServers" in each.text)
    (entry,) = yaml.safe_load(block.text)["mcpServers"].values()
    assert entry["url"] == "https://bot.example.com/mcp"
    assert entry["headers"]["Authorization"].startswith("Bearer ")


def test_two_servers_share_all_but_their_records() -> None:
    one, other = SERVERS.values()
    differing = {name for name in {*one, *other} if one.get(name) != other.get(name)}
    assert differing == {"volumes"}
    ones, others = (dict(each.split(":")[::-1] for each in server["volumes"]) for server in (one, other))
    assert ones.keys() == others.keys() == IMAGE.folders.keys()
    assert {at for at in ones if ones[at] != others[at]} == {"/state"}


@pytest.mark.promise("R13")
@pytest.mark.parametrize("name", SERVICES)
def test_each_service_has_no_rights_that_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else [])
    assert not re.search(r":latest$|^[^:]+$", service["image"]) or name in SERVERS
    # nobody comes in but by the proxy
    assert ("ports" in service) == (name == "proxy")
    assert COMPOSE["volumes"].keys() >= {each.split(":")[0] for each in service.get("volumes", [])}
    assert COMPOSE["secrets"].keys() >= set(service.get("secrets", []))


def test_the_servers_are_started_as_the_product_wants_it(tmp_path: Path) -> None:
    for server in SERVERS.values():
        check_arguments(tuple(server["command"]))
        assert server["user"] == IMAGE.user
        assert (MANIFESTS / server["build"]["context"] / server["build"]["dockerfile"]).is_file()
        assert int(server["stop_grace_period"].removesuffix("s")) > DRAIN_S
        given = {
            name: re.sub(r"\$\{\w+(:\?.*)?\}", "bot.example.com", each) for name, each in server["environment"].items()
        }
        read = {name: each.removeprefix("/run/secrets/") for name, each in given.items() if "/secrets/" in each}
        assert set(read.values()) == set(server["secrets"])
        settings = read_as_given(given, "/run/secrets", tmp_path)
        assert settings.public_url == "https://bot.example.com"
        assert settings.http_tokens_file is not None
        assert settings.http_tokens_file.parent.as_posix() in IMAGE.folders


def test_redis_forgets_nothing_and_is_reached_from_inside_alone() -> None:
    redis = SERVICES["redis"]
    words = redis["command"]
    said = dict(zip(words[2::2], words[3::2], strict=True))
    assert (said["--appendonly"], said["--maxmemory-policy"]) == ("yes", "noeviction")
    assert words[1] == f"/run/secrets/{redis['secrets'][0]}"
    assert redis["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert redis["volumes"] == [f"redis:{said['--dir']}"]


def test_the_proxy_knows_the_servers_and_shows_nothing_that_is_for_those_who_run_them() -> None:
    (line,) = re.findall(r"reverse_proxy (.*) \{", CADDY)
    assert line.split() == [f"{name}:{PORT}" for name in SERVERS]
    (asked,) = re.findall(r"health_uri (\S+)", CADDY)
    assert asked in OPEN
    assert f"Host 127.0.0.1:{PORT}" in CADDY
    assert "flush_interval -1" in CADDY
    (outside,) = re.findall(r"@outside path (.*)", CADDY)
    (rule,) = KINDS["Ingress"]["spec"]["rules"]
    shown = [each["path"] for each in rule["http"]["paths"]]
    assert outside.split() == [path for each in shown for path in (each, f"{each}/*")]
    assert not {*shown} & {*OPEN, "/", METRICS}
    assert {*shown} == {"/mcp", PAGE, WELL_KNOWN}


def test_kustomize_takes_every_file_and_each_reference_leads_somewhere() -> None:
    made = KINDS["Kustomization"]
    assert {*made["resources"]} == {path.name for path in BASE.glob("*.yaml")} - {"kustomization.yaml"}
    claim, account = KINDS["PersistentVolumeClaim"]["metadata"]["name"], KINDS["ServiceAccount"]["metadata"]["name"]
    (settings,) = (each["name"] for each in made["configMapGenerator"])
    for template in PODS.values():
        pod = template["spec"]
        assert pod["serviceAccountName"] == account
        assert {
            each["persistentVolumeClaim"]["claimName"] for each in pod["volumes"] if "persistentVolumeClaim" in each
        } == {claim}
        (container,) = pod["containers"]
        assert {each["name"] for each in container["volumeMounts"]} == {each["name"] for each in pod["volumes"]}
        assert [each["configMapRef"]["name"] for each in container["envFrom"]] == [settings]
    # what selects has to be what the pods bear; labels that kustomize adds stand in templates, not in selectors
    (added,) = made["labels"]
    assert added["includeTemplates"] is True
    assert "includeSelectors" not in added
    borne = {**added["pairs"], **PODS["serve"]["metadata"]["labels"]}
    service, deployment = KINDS["Service"]["spec"], KINDS["Deployment"]["spec"]
    assert service["selector"] == deployment["selector"]["matchLabels"] == borne
    assert KINDS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == borne
    assert all(
        each["labelSelector"]["matchLabels"] == borne for each in PODS["serve"]["spec"]["topologySpreadConstraints"]
    )
    assert KINDS["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == added["pairs"]
    assert PODS["reap"]["metadata"]["labels"].items() != PODS["serve"]["metadata"]["labels"].items()
    assert KINDS["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == KINDS["Deployment"]["metadata"]["name"]
    assert KINDS["HorizontalPodAutoscaler"]["spec"]["minReplicas"] >= 2
    (backends,) = {str(each["backend"]) for each in KINDS["Ingress"]["spec"]["rules"][0]["http"]["paths"]}
    assert KINDS["Service"]["metadata"]["name"] in backends


@pytest.mark.promise("R13")
@pytest.mark.parametrize("command", PODS)
def test_a_pod_runs_as_nobody_that_has_rights_and_ends_in_its_time(command: str) -> None:
    pod = PODS[command]["spec"]
    (container,) = pod["containers"]
    check_arguments(tuple(container["args"]))
    assert container["args"][0] == command
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert f"{security['runAsUser']}:{security['runAsGroup']}" == IMAGE.user
    # what is mounted of a secret is its group's to read
    assert security["fsGroup"] == security["runAsGroup"]
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert container["resources"].keys() == {"requests", "limits"}
    before = container.get("lifecycle", {}).get("preStop", {"sleep": {"seconds": 0}})["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > before + DRAIN_S


def test_each_probe_asks_what_needs_no_token_by_a_name_that_the_server_answers_to() -> None:
    (container,) = PODS["serve"]["spec"]["containers"]
    (port,) = container["ports"]
    assert port["containerPort"] == PORT == IMAGE.port
    # the one that looks further gives its look the time that it takes
    assert container["readinessProbe"]["timeoutSeconds"] > PATIENCE_S
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["path"] == (READY if probe == "readinessProbe" else "/health")
        assert asked["path"] in OPEN
        assert asked["port"] == port["name"]
        assert asked["httpHeaders"] == [{"name": "Host", "value": f"127.0.0.1:{PORT}"}]
    assert KINDS["Service"]["spec"]["ports"][0]["targetPort"] == port["name"]
    assert KINDS["NetworkPolicy"]["spec"]["ingress"][0]["ports"][0]["port"] == port["name"]


@pytest.mark.parametrize("command", PODS)
def test_the_settings_of_a_pod_are_what_the_product_takes_and_its_secrets_are_named_alone(
    command: str, tmp_path: Path
) -> None:
    (container,) = PODS[command]["spec"]["containers"]
    shared = dict(each.split("=", 1) for each in KINDS["Kustomization"]["configMapGenerator"][0]["literals"])
    own = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    given = {**shared, **own, "BARRACK_AUDIT": own["BARRACK_AUDIT"].replace("$(POD)", "barrack-mcp-0")}
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    settings = read_as_given(given, mounts["secrets"], tmp_path)
    # the record is on what outlives the pod, and in a folder that the product makes for itself alone
    assert settings.audit_file is not None
    assert settings.audit_file.parent.parent.as_posix() == mounts["state"]
    assert mounts["state"] in IMAGE.folders
    example = yaml.safe_load((BASE.parent / "example" / "secret.yaml").read_text(encoding="utf-8"))
    assert {Path(value).name for value in given.values() if value.startswith(mounts["secrets"])} == {
        *example["stringData"]
    }
    assert {*example["stringData"].values()} == {""}
    (volume,) = (each["secret"] for each in PODS[command]["spec"]["volumes"] if each["name"] == "secrets")
    assert (volume["secretName"], volume["defaultMode"]) == (example["metadata"]["name"], 0o400)


def test_the_example_changes_what_there_is() -> None:
    example = yaml.safe_load((BASE.parent / "example" / "kustomization.yaml").read_text(encoding="utf-8"))
    (image,) = example["images"]
    assert all(
        container["image"].rpartition(":")[0] == image["name"]
        for pod in PODS.values()
        for container in pod["spec"]["containers"]
    )
    (settings,) = example["configMapGenerator"]
    read_settings(dict(each.split("=", 1) for each in settings["literals"]))
    assert example["namespace"] == KINDS["Namespace"]["metadata"]["name"]


def test_what_is_past_its_lease_is_ended_one_run_at_a_time_and_every_ten_minutes() -> None:
    spec = KINDS["CronJob"]["spec"]
    assert (spec["schedule"], spec["concurrencyPolicy"]) == ("*/10 * * * *", "Forbid")
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] < 600
    assert PODS["reap"]["spec"]["restartPolicy"] == "Never"
