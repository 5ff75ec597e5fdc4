"""The files for several machines say what Kubernetes and compose understand, and name only settings that there are."""

import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from lmvp.settings import BASE_DIR as ROOT

MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
SETTINGS = set(re.findall(r"^#([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
KUBERNETES = ("1.29", "1.33")


def documents(path: Path) -> list[dict]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


RESOURCES = {
    f"{one['kind']}/{one['metadata']['name']}": one
    for path in MANIFESTS
    if path.name != "kustomization.yaml"
    for one in documents(path)
}


@pytest.mark.parametrize("name", RESOURCES)
@pytest.mark.parametrize("version", KUBERNETES)
def test_a_manifest_fits_the_schema_of_kubernetes(name, version):
    kubernetes_validate.validate(RESOURCES[name], version, strict=True)


def test_the_schema_notices_what_does_not_fit():
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**RESOURCES["Service/lmvp"], "specs": {}}, KUBERNETES[0], strict=True)


def test_all_that_a_cluster_needs_is_there():
    kinds = {name.partition("/")[0] for name in RESOURCES}
    assert kinds >= {
        "Deployment",
        "Service",
        "Ingress",
        "HorizontalPodAutoscaler",
        "Job",
        "CronJob",
        "ConfigMap",
        "Secret",
    }
    [kustomization] = documents(ROOT / "deploy" / "kubernetes" / "kustomization.yaml")
    listed = {*kustomization["resources"], "kustomization.yaml"}
    assert listed == {path.name for path in MANIFESTS}


def test_only_settings_that_there_are_are_set():
    said = {*RESOURCES["ConfigMap/lmvp"]["data"], *RESOURCES["Secret/lmvp"]["stringData"]}
    assert said <= SETTINGS
    services = yaml.safe_load((ROOT / "docker-compose.scale.yml").read_text())["services"]
    assert {entry.split("=")[0] for entry in services["web"]["environment"]} <= SETTINGS
    assert services["housekeeping"]["environment"] == services["web"]["environment"]


def test_replicas_share_what_they_must_share():
    web = RESOURCES["Deployment/lmvp"]["spec"]["template"]["spec"]["containers"][0]
    assert web["envFrom"] == [{"configMapRef": {"name": "lmvp"}}, {"secretRef": {"name": "lmvp"}}]
    assert {"SECRET_KEY", "DB_PASSWORD"} <= set(RESOURCES["Secret/lmvp"]["stringData"])
    assert {"DATABASE_URL", "S3_BUCKET"} <= set(RESOURCES["ConfigMap/lmvp"]["data"])


def test_pods_run_as_the_user_of_the_image():
    image = (ROOT / "Dockerfile").read_text()
    user = int(re.search(r"^USER (\d+)", image, re.MULTILINE)[1])
    for name, one in RESOURCES.items():
        pod = one.get("spec", {})
        pod = pod.get("jobTemplate", {}).get("spec", pod).get("template", {}).get("spec")
        assert pod is None or pod["securityContext"]["runAsUser"] == user, name


def test_the_backup_and_the_garbage_do_not_meet():
    """Whichever comes second ends at once."""
    at = {
        name: RESOURCES[f"CronJob/lmvp-{name}"]["spec"]["schedule"].split()[:2]
        for name in ("backup", "collect-garbage")
    }
    assert at["backup"] != at["collect-garbage"]
    assert all(field.isdigit() for times in at.values() for field in times), "each once a day"
    pod = RESOURCES["CronJob/lmvp-backup"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [*_, directory, _, kept] = pod["containers"][0]["command"]
    assert directory.startswith("/backup/")
    assert int(kept) > 1
    [volume] = [one for one in pod["volumes"] if "persistentVolumeClaim" in one]
    assert f"PersistentVolumeClaim/{volume['persistentVolumeClaim']['claimName']}" in RESOURCES


def test_what_compose_mounts_is_there():
    for file in ("docker-compose.yml", "docker-compose.scale.yml"):
        for service in yaml.safe_load((ROOT / file).read_text())["services"].values():
            for mount in service.get("volumes", []):
                source = mount.partition(":")[0]
                assert not source.startswith("./") or (ROOT / source).exists(), (file, mount)
