"""What Kubernetes and Compose are given is well-formed, complete, and as careful as the pages say."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from consumer.app.setup import Setup, load_setup

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
COMPOSE = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text("utf-8"))
# Kinds of others than Kubernetes itself, of which no schema comes with the validator.
FOREIGN = ("PodMonitor", "PrometheusRule", "ScaledObject")
KUSTOMIZATIONS = sorted(DEPLOY.rglob("kustomization.yaml"))
MANIFESTS = [
    path for path in sorted((KUBERNETES / "base").glob("*.yaml")) + sorted((KUBERNETES / "components").rglob("*.yaml"))
    if path.name != "kustomization.yaml"
]  # fmt: skip


def tool(name: str, *arguments: str) -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / name, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def named(path: Path) -> str:
    return str(path.relative_to(DEPLOY))


@pytest.mark.parametrize("path", MANIFESTS, ids=named)
def test_kubernetes_takes_the_manifest(path: Path) -> None:
    document = yaml.safe_load(path.read_text("utf-8"))
    if document["kind"] not in FOREIGN:
        kubernetes_validate.validate(document, "1.33", strict=True)


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=named)
def test_everything_that_a_kustomization_names_is_there(path: Path) -> None:
    document = yaml.safe_load(path.read_text("utf-8"))
    files = [
        name
        for key in ("configMapGenerator", "secretGenerator")
        for each in document.get(key, [])
        for name in each["files"]
    ]
    for name in (*document.get("resources", []), *document.get("components", []), *files):
        assert (path.parent / name).exists(), name


def deployment() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((KUBERNETES / "base" / "deployment.yaml").read_text("utf-8"))
    return document


def test_the_pod_is_not_root_writes_nothing_and_may_do_nothing_special() -> None:
    pod = deployment()["spec"]["template"]["spec"]
    container = pod["containers"][0]["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert container["readOnlyRootFilesystem"] is True
    assert container["allowPrivilegeEscalation"] is False
    assert container["capabilities"] == {"drop": ["ALL"]}


def test_the_grace_period_is_longer_than_the_drain() -> None:
    assert deployment()["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= 40
    for name, service in COMPOSE["services"].items():
        if service.get("image") == "vestnik:local" and service.get("restart") != "no":
            assert service["stop_grace_period"] == "40s", name


def test_there_is_a_standby() -> None:
    assert deployment()["spec"]["replicas"] == 2
    assert {"vestnik-1", "vestnik-2"} <= COMPOSE["services"].keys()


def test_the_example_of_kubernetes_is_a_sound_configuration() -> None:
    found = load_setup(KUBERNETES / "example" / "vestnik.yaml", {})
    assert isinstance(found, Setup), found


def test_the_configuration_of_compose_is_sound(tmp_path: Path) -> None:
    text = (DEPLOY / "compose" / "vestnik.yaml").read_text("utf-8")
    path = tmp_path / "vestnik.yaml"
    path.write_text(text.replace("/etc/vestnik/routes", str(ROOT / "consumer" / "catalogue" / "routes")), "utf-8")
    environment = COMPOSE["services"]["vestnik-1"]["environment"]
    found = load_setup(path, environment)
    assert isinstance(found, Setup), found


def test_what_compose_mounts_is_there() -> None:
    for name, service in COMPOSE["services"].items():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert source in COMPOSE["volumes"] or (DEPLOY / "compose" / source).exists(), f"{name}: {source}"


def test_compose_listens_on_loopback_alone_and_pins_every_image() -> None:
    for name, service in COMPOSE["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert ":" in service["image"], name
        assert not service["image"].endswith(":latest"), name


def test_the_yaml_is_tidy() -> None:
    tool("yamllint", "-c", ".yamllint.yaml", "--strict", "deploy")


def test_the_dockerfile_is_tidy() -> None:
    tool("hadolint", "Dockerfile")
