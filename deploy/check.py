"""Checks what Stepwell is deployed by: Dockerfile, docker-compose.yml and the Kubernetes manifests.

Against the schemas of their makers, and against the binary: every variable, port, path and argument
that stands in them is one that it knows.

Usage: check.py STEPWELL
"""

import json
import pathlib
import re
import subprocess
import sys

import compose_spec
import kubernetes_validate
import yaml
from cloudcoil.models.keda import v1alpha1 as keda

ROOT = pathlib.Path(__file__).parent.parent
# The oldest and the newest Kubernetes that the manifests are for: both, because fields come and go.
KUBERNETES = ["1.30", "1.37"]
# Seconds that a pod has beyond STEPWELL_GRACE_SECONDS, for the pause before SIGTERM and the end.
GRACE_MARGIN = 10

findings = []


def expect(holds, finding):
    if not holds:
        findings.append(finding)


def stepwell(*arguments):
    """What the binary answers."""
    ran = subprocess.run([sys.argv[1], *arguments], capture_output=True, text=True, check=True)
    return ran.stdout


VARIABLES = set(re.findall(r"^#(STEPWELL_\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
PATHS = set(json.loads(stepwell("openapi"))["paths"])
COMMANDS = set(re.findall(r"^  ([a-z]+)  ", stepwell("help"), re.MULTILINE))


def merged(value):
    """Without the fields `x-…`, which hold what anchors name."""
    return {key: inner for key, inner in value.items() if not key.startswith("x-")}


# --- Kubernetes -----------------------------------------------------------------------------------


def built(directory):
    """The objects of a kustomization: its resources, its namespace, its images, its secrets, its removals."""
    kustomization = yaml.safe_load((directory / "kustomization.yaml").read_text())
    known = {"apiVersion", "kind", "namespace", "labels", "resources", "images", "patches", "secretGenerator",
             "generatorOptions"}
    expect(set(kustomization) <= known, f"{directory}: unknown fields {set(kustomization) - known}")
    expect(kustomization["kind"] == "Kustomization", f"{directory}: no Kustomization")
    objects = []
    for resource in kustomization["resources"]:
        path = (directory / resource).resolve()
        if path.is_dir():
            objects += built(path)
        else:
            objects += [document for document in yaml.safe_load_all(path.read_text()) if document]
    listed = {(directory / resource).resolve() for resource in kustomization["resources"]}
    for path in directory.glob("*.yaml"):
        expect(path.name == "kustomization.yaml" or path.resolve() in listed, f"{path} is not listed")
    for secret in kustomization.get("secretGenerator", []):
        objects.append({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": secret["name"], "annotations": kustomization["generatorOptions"]["annotations"]},
            # What is in the files is the user's.
            "stringData": {pathlib.PurePath(file).name: "…" for file in secret["files"]},
        })
    for one in objects:
        if one["kind"] == "Namespace":
            expect(one["metadata"]["name"] == kustomization["namespace"], f"{directory}: another namespace")
        else:
            one["metadata"]["namespace"] = kustomization["namespace"]
        for container in containers(one):
            for image in kustomization.get("images", []):
                if container["image"].rsplit(":", 1)[0] == image["name"]:
                    container["image"] = f"{image['newName']}:{image['newTag']}"
    for patch in kustomization.get("patches", []):
        target = patch["target"]
        hit = [one for one in objects if (one["kind"], one["metadata"]["name"]) == (target["kind"], target["name"])]
        expect(len(hit) == 1, f"{directory}: the patch of {target} meets {len(hit)} objects")
        for operation in yaml.safe_load(patch["patch"]):
            *way, last = operation["path"].strip("/").split("/")
            expect(operation["op"] == "remove", f"{directory}: only removals are understood here")
            for one in hit:
                inner = one
                for part in way:
                    inner = inner[part]
                expect(inner.pop(last, None) is not None, f"{directory}: nothing at {operation['path']}")
    return objects


def pod(one):
    return one.get("spec", {}).get("template", {}).get("spec", {}) if one["kind"] in ("Deployment", "Job") else {}


def containers(one):
    return pod(one).get("containers", [])


def variables(container, maps):
    """The environment of a container, the config maps included. A value that the cluster fills in is None."""
    environment = {}
    for source in container.get("envFrom", []):
        environment |= maps[source["configMapRef"]["name"]]
    environment |= {item["name"]: item.get("value") for item in container.get("env", [])}
    return environment


def check_kubernetes(directory):
    objects = built(directory)
    names = [(one["kind"], one["metadata"]["name"]) for one in objects]
    expect(len(names) == len(set(names)), f"{directory}: an object twice")
    for one in objects:
        name = f"{directory.name}: {one['kind']} {one['metadata']['name']}"
        if one["apiVersion"].startswith("keda.sh/"):
            try:
                getattr(keda, one["kind"]).model_validate(one)
            except ValueError as error:
                findings.append(f"{name}: {error}")
            continue
        for version in KUBERNETES:
            try:
                kubernetes_validate.validate(one, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                findings.append(f"{name}: Kubernetes {version}: {error.message}")
    maps = {one["metadata"]["name"]: one["data"] for one in objects if one["kind"] == "ConfigMap"}
    secrets = {one["metadata"]["name"]: set(one["stringData"]) for one in objects if one["kind"] == "Secret"}
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in objects if pod(one)]
    for one in objects:
        check_selector(one, labels)
        for container in containers(one):
            check_pod(one, container, variables(container, maps))
            if secrets:
                check_secret(one, container, variables(container, maps), secrets)
        check_wave(one, objects)
    for one in objects:
        for reference in [one["spec"]["scaleTargetRef"]] if "scaleTargetRef" in one.get("spec", {}) else []:
            kind = reference.get("kind", "Deployment")
            expect((kind, reference["name"]) in names, f"{one['kind']} scales {reference}, which is not there")
        if one["kind"] == "Service":
            check_service(one, objects)
    return len(objects)


def wave(one):
    return int(one["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", "0"))


def check_wave(one, objects):
    """The job that migrates comes after what its pod needs and before the processes."""
    if one["kind"] != "Job":
        return
    annotations = one["metadata"]["annotations"]
    expect(annotations["argocd.argoproj.io/hook"] == "Sync", "the job would come before what its pod needs")
    for other in objects:
        if other["kind"] in ("ConfigMap", "ServiceAccount", "Secret", "Namespace"):
            expect(wave(other) < wave(one), f"{other['kind']} {other['metadata']['name']} comes after the job")
        elif other["kind"] == "Deployment":
            expect(wave(other) > wave(one), f"Deployment {other['metadata']['name']} does not wait for the job")


def check_secret(one, container, environment, secrets):
    """The files that its settings name are in the secret that is made."""
    made = {volume["name"]: volume["secret"]["secretName"] for volume in pod(one)["volumes"] if "secret" in volume}
    for variable, value in environment.items():
        if variable.endswith("_FILE"):
            place = pathlib.PurePath(value)
            held = [made.get(mount["name"]) for mount in container["volumeMounts"] if mount["mountPath"] == str(place.parent)]
            found = [secrets.get(name, set()) for name in held if name]
            expect(any(place.name in keys for keys in found), f"{one['metadata']['name']}: no secret has {value}")


def check_selector(one, labels):
    selector = one.get("spec", {}).get("selector", one.get("spec", {}).get("podSelector"))
    if selector is None or one["kind"] == "Job":
        return
    wanted = selector.get("matchLabels", selector)
    hit = [found for found in labels if wanted.items() <= found.items()]
    expect(len(hit) == 1, f"{one['kind']} {one['metadata']['name']} selects {len(hit)} kinds of pods")


def check_service(one, objects):
    for port in one["spec"]["ports"]:
        for target in objects:
            pods = target.get("spec", {}).get("template", {}).get("metadata", {}).get("labels", {})
            if pod(target) and one["spec"]["selector"].items() <= pods.items():
                ports = [found["name"] for container in containers(target) for found in container["ports"]]
                expect(port["targetPort"] in ports, f"the service's port {port['targetPort']} is none of {ports}")


def check_pod(one, container, environment):
    name = f"{one['kind']} {one['metadata']['name']}"
    check_process(name, container["args"], environment)
    security, spec = container["securityContext"], pod(one)
    expect(security["readOnlyRootFilesystem"] is True, f"{name}: its root file system can be written")
    expect(security["allowPrivilegeEscalation"] is False, f"{name}: it may gain privileges")
    expect(security["capabilities"]["drop"] == ["ALL"], f"{name}: it keeps capabilities")
    expect(spec["securityContext"]["runAsNonRoot"] is True, f"{name}: it may run as root")
    expect(spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", f"{name}: no seccomp profile")
    expect({"cpu", "memory"} <= set(container["resources"]["requests"]), f"{name}: it requests nothing")
    expect("memory" in container["resources"]["limits"], f"{name}: its memory has no limit")
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
    for variable, value in environment.items():
        if variable.endswith("_FILE"):
            expect(any(value.startswith(mount + "/") for mount in mounts), f"{name}: nothing is mounted at {value}")
    if one["kind"] == "Job":
        return
    grace = int(environment["STEPWELL_GRACE_SECONDS"])
    expect(spec["terminationGracePeriodSeconds"] >= grace + GRACE_MARGIN, f"{name}: it is killed while it drains")
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        expect(asked["path"] in PATHS, f"{name}: {probe} asks {asked['path']}")
        port = ports.get(asked["port"])
        expect(port == listens(environment), f"{name}: {probe} asks port {port}, it listens on {listens(environment)}")
    scraped = one["spec"]["template"]["metadata"]["annotations"]
    expect(int(scraped["prometheus.io/port"]) == listens(environment), f"{name}: Prometheus asks another port")
    expect(scraped["prometheus.io/path"] in PATHS, f"{name}: Prometheus asks another path")


def listens(environment):
    """The port that this environment makes a process listen on."""
    if "STEPWELL_HTTP_PORT" in environment:
        return int(environment["STEPWELL_HTTP_PORT"])
    return int(environment["STEPWELL_HEALTH_LISTEN"].rpartition(":")[2])


# --- Both -----------------------------------------------------------------------------------------


def check_process(name, arguments, environment):
    expect(arguments[0] in COMMANDS, f"{name}: there is no command {arguments[0]}")
    unknown = {variable for variable in environment if variable.startswith("STEPWELL_")} - VARIABLES
    expect(not unknown, f"{name}: unknown variables {unknown}")
    expect("STEPWELL_DATABASE_URL_FILE" in environment, f"{name}: it has no database")


# --- Compose and the image ------------------------------------------------------------------------


def check_compose():
    text = (ROOT / "docker-compose.yml").read_text()
    whole = merged(yaml.safe_load(text))
    try:
        compose_spec.PyCompose.from_json(json.dumps(whole))
    except ValueError as error:
        findings.append(f"docker-compose.yml: {error}")
    services = whole["services"]
    secrets = (ROOT / "deploy/make-secrets.sh").read_text()
    for name, secret in whole["secrets"].items():
        expect(secret["file"].removeprefix("./") in secrets, f"make-secrets.sh makes no {name}")
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            expect(needed in services, f"{name} depends on {needed}, which is not there")
            if how["condition"] == "service_healthy":
                expect("test" in services[needed]["healthcheck"], f"{needed} has no health check")
        for secret in service.get("secrets", []):
            expect(secret in whole["secrets"], f"{name}: there is no secret {secret}")
        if service["image"].startswith("postgres:"):
            continue
        environment = service["environment"]
        check_process(name, service["command"], environment)
        for variable, value in environment.items():
            if variable.endswith("_FILE"):
                known = value.removeprefix("/run/secrets/") in service["secrets"]
                expect(known, f"{name}: {value} is no secret of it")
        grace = int(environment["STEPWELL_GRACE_SECONDS"])
        stop = int(service["stop_grace_period"].removesuffix("s"))
        expect(stop >= grace + GRACE_MARGIN, f"{name}: it is killed while it drains")
        test = service["healthcheck"].get("test")
        if test:
            check_health(f"docker-compose.yml: {name}", test[1:], listens(environment))


def check_health(name, command, port):
    expect(command[:2] == ["/usr/local/bin/stepwell", "health"], f"{name}: its health check is {command}")
    asked = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/.*)", command[2])
    expect(asked is not None, f"{name}: {command[2]}")
    if asked:
        expect(int(asked[1]) == port, f"{name}: its health check asks port {asked[1]}, it listens on {port}")
        expect(asked[2] in PATHS, f"{name}: its health check asks {asked[2]}")


def check_image():
    text = (ROOT / "Dockerfile").read_text()
    command = re.search(r"^HEALTHCHECK .*\\\n\s*CMD (\[.*\])$", text, re.MULTILINE)
    check_health("Dockerfile", json.loads(command[1]), 8080)
    toolchain = re.search(r'channel = "(\d+\.\d+)', (ROOT / "rust-toolchain.toml").read_text())[1]
    # Not the slim one: the allocator is built with make.
    expect(f"FROM rust:{toolchain}-bookworm AS" in text, f"Dockerfile: rust-toolchain.toml names {toolchain}")
    stages = re.split(r"^FROM ", text, flags=re.MULTILINE)
    expect(re.search(r"^USER \d+:\d+$", stages[-1], re.MULTILINE), "Dockerfile: it runs as root")
    ignored = (ROOT / ".dockerignore").read_text().split()
    for source in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE):
        for name in source.split():
            expect((ROOT / name).exists(), f"Dockerfile: {name} is not there")
            top = "!" + name.split("/")[0]
            expect(name == "." or top in ignored or "!" + name in ignored, f".dockerignore leaves out {name}")
    linted = subprocess.run(
        [pathlib.Path(sys.executable).with_name("hadolint"), "--no-color", ROOT / "Dockerfile"],
        capture_output=True, text=True, check=False,
    )
    expect(linted.returncode == 0, f"hadolint: {linted.stdout}{linted.stderr}")
    for script in ("deploy/make-secrets.sh", "deploy/empty-sources.sh"):
        ran = subprocess.run(["sh", "-n", ROOT / script], capture_output=True, text=True, check=False)
        expect(ran.returncode == 0, f"{script}: {ran.stderr}")


check_image()
check_compose()
number = sum(check_kubernetes(ROOT / "deploy/k8s" / name) for name in ("base", "keda", "example"))
for finding in findings:
    print(f"✗ {finding}", file=sys.stderr)
if findings:
    sys.exit(1)
print(f"Dockerfile, docker-compose.yml and {number} Kubernetes objects are well-formed and fit the binary")
