"""What Kubernetes' own schemas don't find: each rule is a function that yields what is wrong, in words."""
import re

import network
from manifests import (
    DEFAULTS, DOCUMENT, GRACE_S, SERVICES, containers, labels, matches, name, pod, port_of, service_of,
)


def selectors_find_their_pods(it):
    for workload in it.of("Deployment", "StatefulSet"):
        if not matches(workload["spec"]["selector"], labels(workload)):
            yield f"{name(workload)}: its selector does not match its pods"
        others = [other for other in it.workloads() if other is not workload and matches(workload["spec"]["selector"], labels(other))]
        yield from (f"{name(workload)}: its selector matches pods of {name(other)}" for other in others)
    for service in it.of("Service"):
        selected = [w for w in it.workloads() if matches({"matchLabels": service["spec"]["selector"]}, labels(w))]
        if len(selected) != 1:
            yield f"{name(service)}: its selector matches {len(selected)} workloads"
        for port in service["spec"]["ports"]:
            ports = [p for w in selected for c in containers(w) for p in c.get("ports", [])]
            if not any(port["targetPort"] in (p["name"], p["containerPort"]) for p in ports):
                yield f"{name(service)}: no pod has its port {port['targetPort']}"


def volumes_exist(it):
    for workload in it.workloads():
        claimed = [c["metadata"]["name"] for c in workload["spec"].get("volumeClaimTemplates", [])]
        there = {volume["name"]: volume for volume in pod(workload).get("volumes", [])}
        mounted = {mount["name"] for c in containers(workload) for mount in c.get("volumeMounts", [])}
        yield from (f"{name(workload)}: there is no volume {gone}" for gone in mounted - set(there) - set(claimed))
        yield from (f"{name(workload)}: nothing mounts {idle}" for idle in (set(there) | set(claimed)) - mounted)
        for volume in there.values():
            for field, kind, key in (("configMap", "ConfigMap", "name"), ("persistentVolumeClaim", "PersistentVolumeClaim", "claimName")):
                if field in volume and it.named(kind, volume[field][key]) is None:
                    yield f"{name(workload)}: there is no {kind} {volume[field][key]}"


def secrets_are_documented_and_private(it):
    document = DOCUMENT.read_text()
    for workload in it.workloads():
        for variable in (v for c in containers(workload) for v in c.get("env", []) if "secretKeyRef" in v.get("valueFrom", {})):
            secret = variable["valueFrom"]["secretKeyRef"]["name"]
            if f"`{secret}`" not in document:
                yield f"{name(workload)}: {DOCUMENT.name} does not say what the Secret {secret} is"
        for volume in pod(workload).get("volumes", []):
            secret = volume.get("secret")
            if not secret:
                continue
            # Those of each service are documented with a placeholder.
            shown = re.sub(rf"-({'|'.join(SERVICES)})$", "-SERVICE", secret["secretName"])
            if f"`{shown}`" not in document:
                yield f"{name(workload)}: {DOCUMENT.name} does not say what the Secret {shown} is"
            if secret.get("defaultMode") != 0o440:
                yield f"{name(workload)}: the Secret {secret['secretName']} is for its group alone (defaultMode 0440)"


def paths_are_mounted(it):
    paths = re.findall(r'"(/(?:etc/baton|var/lib)/[^"]+)"', "\n".join(c["data"].get("baton.toml", "") for c in it.of("ConfigMap")))
    paths += [v["value"] for w in it.workloads() for c in containers(w) for v in c.get("env", []) if v["name"].endswith("_FILE")]
    mounts = [m["mountPath"] for w in it.workloads() for c in containers(w) for m in c.get("volumeMounts", [])]
    for path in paths:
        if not any(path.startswith(mount + "/") for mount in mounts):
            yield f"nothing is mounted where {path} is"
    for workload in it.workloads():
        for mount in (m for c in containers(workload) for m in c.get("volumeMounts", [])):
            is_ours = mount["mountPath"].startswith("/etc/baton")
            if is_ours and mount["name"] != "settings" and not any(path.startswith(mount["mountPath"] + "/") for path in paths):
                yield f"{name(workload)}: no setting names anything in {mount['mountPath']}"


def ports_have_one_name_each(it):
    for workload in it.workloads():
        ports = [port for c in containers(workload) for port in c.get("ports", [])]
        for key in ("name", "containerPort"):
            values = [port[key] for port in ports]
            yield from (f"{name(workload)}: two ports have the {key} {value}" for value in set(values) if values.count(value) > 1)


def a_pod_has_time_to_end(it):
    needed = it.setting("server", "drain_delay_ms") / 1000 + it.setting("server", "drain_ms") / 1000 + GRACE_S
    for workload in it.of("Deployment"):
        grace = pod(workload).get("terminationGracePeriodSeconds", 30)
        if service_of(workload) and grace <= needed:
            yield f"{name(workload)}: it is killed after {grace} s and may need {needed:g} s to end"
        for container in containers(workload):
            if "preStop" in container.get("lifecycle", {}):
                yield f"{name(workload)}: a preStop hook takes from the time to end; server.drain_delay_ms is for that"


def memory_is_reserved(it):
    for workload in it.workloads():
        for container in containers(workload):
            resources = container.get("resources", {})
            asked, limit = (resources.get(key, {}).get("memory") for key in ("requests", "limits"))
            if asked is None or asked != limit:
                yield f"{name(workload)}: it asks for {asked} of memory, and may have {limit}"


def pods_are_restricted(it):
    for workload in it.workloads():
        security = pod(workload).get("securityContext", {})
        if not security.get("runAsNonRoot") or not security.get("runAsUser"):
            yield f"{name(workload)}: it may run as root"
        if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{name(workload)}: no seccomp profile"
        if any(pod(workload).get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{name(workload)}: it is in a namespace of the node"
        if any("hostPath" in volume for volume in pod(workload).get("volumes", [])):
            yield f"{name(workload)}: it has files of the node"
        for container in containers(workload):
            wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
            if container.get("securityContext") != wanted:
                yield f"{name(workload)}: {container['name']} has other rights than {wanted}"
    for namespace in it.of("Namespace"):
        if namespace["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"{name(namespace)}: it does not enforce the restricted pod security"


def no_pod_has_a_token(it):
    for workload in it.workloads():
        account = it.named("ServiceAccount", pod(workload).get("serviceAccountName", "default"))
        if account is None:
            yield f"{name(workload)}: it has no ServiceAccount of its own"
        for holder in (pod(workload), account or {}):
            if holder.get("automountServiceAccountToken") is not False:
                yield f"{name(workload)}: a token of the cluster is mounted"


def no_variables_of_other_services(it):
    """BATON_TRANSFER_SERVICE_HOST, for a Service `baton-transfer`, would be a key that Baton does not know."""
    for workload in it.workloads():
        if pod(workload).get("enableServiceLinks") is not False:
            yield f"{name(workload)}: Kubernetes gives it variables of other Services"


def evictions_are_limited(it):
    for deployment in it.of("Deployment"):
        budgets = [b for b in it.of("PodDisruptionBudget") if matches(b["spec"]["selector"], labels(deployment))]
        if len(budgets) != 1 or budgets[0]["spec"].get("maxUnavailable") != 1:
            yield f"{name(deployment)}: it has no PodDisruptionBudget with maxUnavailable 1"


def images_are_pinned(it):
    for workload in it.workloads():
        for container in containers(workload):
            if not re.search(r"/[^/]+(@sha256:[0-9a-f]{64}|:v?\d+\.\d+(\.\d+)?[-\w.]*)$", container["image"]):
                yield f"{name(workload)}: {container['image']} can be another image tomorrow"


def probes_ask_for_health(it):
    health = port_of(it.setting("server", "health_listen"))
    for workload in it.of("Deployment", "StatefulSet"):
        for container in containers(workload):
            missing = {"startupProbe", "readinessProbe", "livenessProbe"} - set(container)
            yield from (f"{name(workload)}: {container['name']} has no {probe}" for probe in sorted(missing))
            if service_of(workload) is None or missing:
                continue
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            for probe, path in (("startupProbe", "/livez"), ("readinessProbe", "/readyz"), ("livenessProbe", "/livez")):
                asked = container[probe].get("httpGet", {})
                if asked.get("path") != path or ports.get(asked.get("port"), asked.get("port")) != health:
                    yield f"{name(workload)}: its {probe} does not ask {path} of port {health}"


def services_listen_where_they_are_called(it):
    for workload in it.workloads():
        service = service_of(workload)
        if service is None:
            continue
        key = "listen" if service == "gateway" else "internal_listen"
        if port_of(it.setting("server", key)) not in [port["containerPort"] for port in containers(workload)[0]["ports"]]:
            yield f"{name(workload)}: server.{key} is another port"
    for peer, address in it.settings()["peers"].items():
        host, port = re.fullmatch(r"https?://([^:/]+):(\d+)", address).groups()
        called = it.named("Service", host)
        if host != peer or called is None or int(port) not in [p["port"] for p in called["spec"]["ports"]]:
            yield f"peers.{peer}: there is no Service {host} with the port {port}"


def the_network_is_the_table(it):
    allowed, expected = network.arrows(it), network.expected(it)
    yield from (f"{a} may connect to {b}:{port}, which who-calls-whom.json does not say" for a, b, port in sorted(allowed - expected))
    yield from (f"{a} calls {b}:{port}, and no NetworkPolicy lets it" for a, b, port in sorted(expected - allowed))
    yield from network.missing_to_servers(it)


def everything_else_is_refused(it):
    wanted = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    if not any(policy["spec"] == wanted for policy in it.of("NetworkPolicy")):
        yield "no NetworkPolicy refuses what the others do not allow"
    for service in it.of("Service"):
        own = [w for w in it.workloads() if matches({"matchLabels": service["spec"]["selector"]}, labels(w))]
        for port in service["spec"]["ports"]:
            numbers = [p["containerPort"] for w in own for c in containers(w) for p in c["ports"] if p["name"] == port["targetPort"]]
            rules = [
                rule
                for w in own
                for policy in it.of("NetworkPolicy")
                if matches(policy["spec"]["podSelector"], labels(w))
                for rule in policy["spec"].get("ingress") or []
            ]
            if not any(p["port"] in numbers for rule in rules for p in rule.get("ports") or []):
                yield f"{name(service)}: no NetworkPolicy lets anybody connect to its port {port['port']}"


def keys_exist(it):
    for section, values in it.settings().items():
        if section not in DEFAULTS:
            yield f"baton.toml: there is no section {section}"
            continue
        yield from (f"baton.toml: there is no key {section}.{key}" for key in values if key not in DEFAULTS[section])
    for workload in it.workloads():
        for variable in (v["name"] for c in containers(workload) for v in c.get("env", [])):
            if not variable.startswith("BATON_"):
                continue
            section, _, key = variable.removeprefix("BATON_").lower().partition("__")
            if key not in DEFAULTS.get(section, {}):
                yield f"{name(workload)}: there is no key for {variable}"


def two_never_decide_at_once(it):
    for workload in it.of("Deployment"):
        if service_of(workload) and (workload["spec"].get("replicas") != 1 or workload["spec"].get("strategy") != {"type": "Recreate"}):
            yield f"{name(workload)}: two of them could run at once (replicas 1, strategy Recreate)"


def a_finished_job_goes(it):
    for job in it.of("Job"):
        if not job["spec"].get("ttlSecondsAfterFinished"):
            yield f"{name(job)}: it is in the way of the next version's"


def all_services_are_there(it):
    there = [service_of(w) for w in it.of("Deployment") if service_of(w)]
    if sorted(there) != sorted(SERVICES):
        yield f"there are Deployments of {', '.join(sorted(there))}"
    others = {o["metadata"].get("namespace") for o in it.objects if o["kind"] != "Namespace"}
    if others != {n["metadata"]["name"] for n in it.of("Namespace")}:
        yield f"objects are in the namespaces {others}"


RULES = [value for value in list(globals().values()) if callable(value) and getattr(value, "__module__", "") == __name__]
