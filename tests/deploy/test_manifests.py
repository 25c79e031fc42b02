"""What Kubernetes and Compose are given is well-formed, complete, and as careful as the pages say."""

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from consumer.app.overrides import ELSEWHERE, OVERRIDES
from consumer.app.setup import Setup, load_setup
from tests.chaos.rows_image import RECIPE, flaws

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
COMPOSE = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text("utf-8"))
# Kinds of others than Kubernetes itself, of which no schema comes with the validator.
FOREIGN = ("PodMonitor", "PrometheusRule", "ScaledObject")
KUSTOMIZATIONS = sorted(DEPLOY.rglob("kustomization.yaml"))
COMPONENTS = sorted(path for path in (KUBERNETES / "components").iterdir() if path.is_dir())
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


def test_every_variable_of_the_environment_is_on_the_page() -> None:
    page = (ROOT / "docs" / "running.md").read_text("utf-8")
    assert set(re.findall(r"`(VESTNIK_\w+)`", page)) == {*OVERRIDES, *ELSEWHERE}


def test_static_members_are_the_same_pods_with_a_name() -> None:
    path = KUBERNETES / "components" / "static-members" / "statefulset.yaml"
    named, usual = yaml.safe_load(path.read_text("utf-8"))["spec"]["template"], deployment()["spec"]["template"]
    environment = named["spec"]["containers"][0]["env"]
    name = environment.pop()
    assert name["name"] in OVERRIDES
    assert name["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert named == usual


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


def test_compose_takes_the_file() -> None:
    """By the schema of the Compose specification, in which an unknown key is an error."""
    assert schema_faults("vendor.compose-spec", DEPLOY / "compose" / "compose.yaml") == ""


def test_a_slip_in_a_compose_file_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(yaml.safe_dump(COMPOSE | {"services": {"a": {"image": "b", "stop_graceperiod": "40s"}}}), "utf-8")
    assert "stop_graceperiod" in schema_faults("vendor.compose-spec", path)


def test_github_takes_the_workflow() -> None:
    assert schema_faults("vendor.github-workflows", ROOT / ".github" / "workflows" / "ci.yml") == ""


def schema_faults(schema: str, path: Path) -> str:
    """What one of the schemas that come with the checker has against a file."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


# --- rendered ---------------------------------------------------------------------------------------------------------


def test_the_example_is_rendered_into_what_kubernetes_takes() -> None:
    documents = rendered(KUBERNETES / "example")
    kinds = {document["kind"] for document in documents}
    assert {"Deployment", "PodDisruptionBudget", "NetworkPolicy", "PodMonitor", "PrometheusRule", "Secret"} <= kinds
    for document in documents:
        assert document["metadata"].get("namespace") == "shop", document["kind"]
        if document["kind"] not in FOREIGN:
            kubernetes_validate.validate(document, "1.33", strict=True)
    boards = [document for document in documents if "dashboard" in document["metadata"]["name"]]
    assert {name for board in boards for name in board["data"]} == {
        path.name for path in (DEPLOY / "grafana").glob("*.json")
    }


def test_what_the_example_mounts_is_what_it_makes() -> None:
    documents = rendered(KUBERNETES / "example")
    (pod,) = [each["spec"]["template"]["spec"] for each in documents if each["kind"] == "Deployment"]
    made = {each["metadata"]["name"] for each in documents if each["kind"] in ("ConfigMap", "Secret")}
    assert {volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume} <= made
    assert {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume} <= made


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda path: path.name)
def test_every_component_goes_with_the_base(component: Path, tmp_path: Path) -> None:
    overlay = {
        "resources": [os.path.relpath(KUBERNETES / "base", tmp_path)],
        "components": [os.path.relpath(component, tmp_path)],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay), "utf-8")
    before, after = rendered(KUBERNETES / "base"), rendered(tmp_path)
    assert after != before
    assert sum(document["kind"] in ("Deployment", "StatefulSet") for document in after) == 1
    for document in after:
        if document["kind"] not in FOREIGN:
            kubernetes_validate.validate(document, "1.33", strict=True)


def rendered(folder: Path) -> list[dict[str, Any]]:
    """What kustomize makes of a folder."""
    if not knows_components():
        pytest.skip("no kubectl that knows components of kustomize (1.21 or newer)")
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


@cache
def knows_components() -> bool:
    if shutil.which("kubectl") is None:
        return False
    command = ["kubectl", "version", "--client", "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    version = json.loads(done.stdout)["clientVersion"] if done.returncode == 0 else {"major": "0", "minor": "0"}
    return (int(version["major"]), int(version["minor"].rstrip("+"))) >= (1, 21)


def test_the_yaml_is_tidy() -> None:
    tool("yamllint", "-c", ".yamllint.yaml", "--strict", "deploy")


def test_the_dockerfile_is_tidy() -> None:
    tool("hadolint", "Dockerfile")


def test_the_dockerfile_makes_a_compiled_core_and_leaves_what_made_it_behind() -> None:
    assert flaws(RECIPE.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("line", "other", "flaw"),
    [
        ('ARG COMPILER="gcc libc6-dev"', "ARG COMPILER", "plain core"),
        ("HATCH_BUILD_HOOK_ENABLE_CUSTOM=${COMPILER:+true} ", "", "plain core"),
        ("USER 10001:10001", "COPY --from=build /opt/builder /opt/builder\nUSER 10001:10001", "tools of the build"),
        ("USER 10001:10001", "RUN apt-get install gcc\nUSER 10001:10001", "tools of the build"),
        ("--frozen", "", "unlocked"),
        ("USER 10001:10001", "", "root"),
    ],
)
def test_a_slip_in_the_dockerfile_is_seen(line: str, other: str, flaw: str) -> None:
    text = RECIPE.read_text("utf-8")
    assert line in text
    assert flaws(text.replace(line, other)) == [flaw]


def test_all_that_the_dockerfile_copies_is_let_in() -> None:
    """The builder is given only what `.dockerignore` names, and all of that is needed."""
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", RECIPE.read_text("utf-8"), re.MULTILINE)
    let_in = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    assert sorted(" ".join(copied).split()) == sorted(let_in)
