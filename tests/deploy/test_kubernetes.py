"""The manifests of deploy/kubernetes agree with the code, and with one another."""

import re
from typing import Any

import psycopg
import pytest
from fastapi.routing import APIRoute

from api import health
from local.postgres import OWNER
from shared.settings import Settings
from tests.deploy.manifests import KUBERNETES, NAMES, all_objects, objects
from tests.house import ROOT, Servers
from tests.values import settings_of
from worker.main import HAND_OVER_SECONDS

Json = dict[str, Any]

OBJECTS = {(one["kind"], one["metadata"]["name"]): one for one in all_objects()}
WORKLOADS = [one for one in OBJECTS.values() if one["kind"] in ("Deployment", "Job")]
CONFIG = OBJECTS["ConfigMap", "chatkit"]["data"]
PRESTOP_SECONDS = 5


def pod(workload: Json) -> Json:
    spec: Json = workload["spec"]["template"]["spec"]
    return spec


def container(workload: Json) -> Json:
    [only] = pod(workload)["containers"]
    found: Json = only
    return found


def grace(name: str) -> int:
    seconds: int = pod(OBJECTS["Deployment", name])["terminationGracePeriodSeconds"]
    return seconds


def each(workloads: list[Json]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("workload", workloads, ids=lambda one: one["metadata"]["name"])


def test_every_file_is_applied_or_said_to_be_optional() -> None:
    [kustomization] = objects(KUBERNETES / "kustomization.yaml")
    optional = {"kustomization.yaml", "secret.example.yaml", "autoscaling.yaml"}
    assert {*kustomization["resources"]} == {file.name for file in KUBERNETES.glob("*.yaml")} - optional


def test_no_object_is_tied_to_a_namespace() -> None:
    assert [name for name, one in OBJECTS.items() if "namespace" in one["metadata"]] == []


def test_every_name_of_the_environment_is_read() -> None:
    secret = OBJECTS["Secret", "chatkit"]["stringData"]
    assert {*CONFIG, *secret} <= NAMES
    assert CONFIG.keys() & secret.keys() == set()


def test_what_is_configured_makes_settings() -> None:
    secret = OBJECTS["Secret", "chatkit"]["stringData"]
    settings = settings_of(**{name.lower(): value for name, value in {**CONFIG, **secret}.items()})
    assert settings.model_name == CONFIG["MODEL"]


@each(WORKLOADS)
def test_a_pod_is_what_its_selector_looks_for(workload: Json) -> None:
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert workload["spec"].get("selector", {}).get("matchLabels", labels) == labels


@pytest.mark.parametrize("name", ["chatkit-api", "chatkit-worker"])
def test_budget_and_spread_look_for_the_same_pods_as_the_deployment(name: str) -> None:
    deployment = OBJECTS["Deployment", name]
    labels = deployment["spec"]["selector"]["matchLabels"]
    [spread] = pod(deployment)["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels
    assert OBJECTS["PodDisruptionBudget", name]["spec"]["selector"]["matchLabels"] == labels


def test_the_service_finds_the_api_and_the_ingress_the_service() -> None:
    service, deployment = OBJECTS["Service", "chatkit-api"], OBJECTS["Deployment", "chatkit-api"]
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    [port] = service["spec"]["ports"]
    assert port["targetPort"] in {one["name"] for one in container(deployment)["ports"]}
    [rule] = OBJECTS["Ingress", "chatkit"]["spec"]["rules"]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert (backend["name"], backend["port"]["name"]) == (service["metadata"]["name"], port["name"])


def test_the_port_is_the_images() -> None:
    [port] = container(OBJECTS["Deployment", "chatkit-api"])["ports"]
    assert port["containerPort"] == Settings.model_fields["port"].default


def test_a_worker_is_given_longer_than_its_drain() -> None:
    assert grace("chatkit-worker") > float(CONFIG["DRAIN_SECONDS"]) + HAND_OVER_SECONDS


def test_an_api_is_given_longer_than_its_requests_and_what_comes_before() -> None:
    [_, wait] = container(OBJECTS["Deployment", "chatkit-api"])["lifecycle"]["preStop"]["exec"]["command"]
    assert int(wait) == PRESTOP_SECONDS
    # Read, because importing that module is starting the server.
    said = re.search(r"^GRACE_SECONDS = (\d+)$", (ROOT / "api/__main__.py").read_text(), re.MULTILINE)
    assert said is not None
    assert grace("chatkit-api") > PRESTOP_SECONDS + int(said[1])


def test_what_is_probed_is_there() -> None:
    paths = {route.path for route in health.router.routes if isinstance(route, APIRoute)}
    one = container(OBJECTS["Deployment", "chatkit-api"])
    probed = {probe: one[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert probed == {"startupProbe": "/livez", "readinessProbe": "/readyz", "livenessProbe": "/livez"}
    assert {*probed.values()} <= paths


@each(WORKLOADS)
def test_no_container_is_root_or_writes_to_its_image(workload: Json) -> None:
    assert pod(workload)["securityContext"]["runAsNonRoot"] is True
    assert pod(workload)["automountServiceAccountToken"] is False
    assert container(workload)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("name", ["chatkit-api", "chatkit-worker"])
def test_every_volume_that_is_mounted_is_there(name: str) -> None:
    deployment = OBJECTS["Deployment", name]
    volumes = {volume["name"]: volume for volume in pod(deployment)["volumes"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container(deployment)["volumeMounts"]}
    assert mounts.keys() == volumes.keys()
    assert mounts["attachments"] == CONFIG["ATTACHMENTS_DIR"]
    claim = volumes["attachments"]["persistentVolumeClaim"]["claimName"]
    assert OBJECTS["PersistentVolumeClaim", claim]["spec"]["accessModes"] == ["ReadWriteMany"]


def test_workers_are_counted_by_runs_and_given_half_of_their_slots() -> None:
    scaled = OBJECTS["ScaledObject", "chatkit-worker"]["spec"]
    assert ("Deployment", scaled["scaleTargetRef"]["name"]) in OBJECTS
    [trigger] = scaled["triggers"]
    assert int(trigger["metadata"]["targetQueryValue"]) * 2 == int(CONFIG["WORKER_SLOTS"])
    assert ("TriggerAuthentication", trigger["authenticationRef"]["name"]) in OBJECTS


def test_the_role_that_counts_runs_counts_everybodys_and_reads_nothing_else(servers: Servers) -> None:
    [trigger] = OBJECTS["ScaledObject", "chatkit-worker"]["spec"]["triggers"]
    url = servers.new_database()
    queued = "INSERT INTO runs (id, user_id, kind, deadline) VALUES (%s, %s, 'message', now())"
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute((KUBERNETES / "autoscaling.sql").read_text())
        for user in ("ann", "bob"):
            owner.execute(queued, (f"run_{user}", user))
    with psycopg.connect(url.replace(f"//{OWNER}@", "//chatkit_autoscaling@"), autocommit=True) as counter:
        assert counter.execute(trigger["metadata"]["query"]).fetchall() == [(2,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            counter.execute("SELECT user_id FROM runs")
