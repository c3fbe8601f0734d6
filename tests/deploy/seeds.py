"""A fault for each rule: what is changed in the good manifests of the demo, and the rule that has to find it."""
import rules
from manifests import pod

OTHER = {"app.kubernetes.io/name": "other"}


def deployment(it, name="presence"):
    return it.named("Deployment", name)


def container(it, name="presence"):
    return pod(deployment(it, name))["containers"][0]


def settings(it, old, new):
    for config in it.of("ConfigMap"):
        if "baton.toml" in config["data"]:
            assert old in config["data"]["baton.toml"], old
            config["data"]["baton.toml"] = config["data"]["baton.toml"].replace(old, new)


def policy(it, name):
    return it.named("NetworkPolicy", name)["spec"]


def without(it, kind, name):
    it.objects.remove(it.named(kind, name))


def volume(it, name):
    return next(v for v in pod(deployment(it))["volumes"] if v["name"] == name)


def secret_variable(it):
    return next(v["valueFrom"] for v in container(it)["env"] if "valueFrom" in v)


SEEDS = [
    (rules.selectors_find_their_pods, "another label", lambda it: deployment(it)["spec"]["template"]["metadata"].update(labels=OTHER)),
    (rules.selectors_find_their_pods, "a port of nobody", lambda it: it.named("Service", "presence")["spec"]["ports"][0].update(targetPort="http")),
    (rules.volumes_exist, "a volume of nobody", lambda it: pod(deployment(it))["volumes"].pop()),
    (rules.volumes_exist, "a ConfigMap of nobody", lambda it: volume(it, "settings")["configMap"].update(name="other")),
    (rules.secrets_are_documented_and_private, "an unknown Secret", lambda it: volume(it, "key")["secret"].update(secretName="other")),
    (rules.secrets_are_documented_and_private, "an unknown Secret in a variable", lambda it: secret_variable(it)["secretKeyRef"].update(name="other")),
    (rules.secrets_are_documented_and_private, "a Secret for everybody", lambda it: volume(it, "key")["secret"].update(defaultMode=0o444)),
    (rules.paths_are_mounted, "a path without a mount", lambda it: settings(it, "/etc/baton/key/", "/etc/baton/keys/")),
    (rules.ports_have_one_name_each, "two ports, one name", lambda it: container(it)["ports"][1].update(name="grpc")),
    (rules.a_pod_has_time_to_end, "a short grace", lambda it: pod(deployment(it)).update(terminationGracePeriodSeconds=15)),
    (rules.a_pod_has_time_to_end, "a long drain", lambda it: settings(it, "drain_delay_ms = 5000", "drain_delay_ms = 60000")),
    (rules.a_pod_has_time_to_end, "a preStop hook", lambda it: container(it).update(lifecycle={"preStop": {"sleep": {"seconds": 40}}})),
    (rules.memory_is_reserved, "less asked for than allowed", lambda it: container(it)["resources"]["requests"].update(memory="64Mi")),
    (rules.memory_is_reserved, "no limit", lambda it: container(it)["resources"].pop("limits")),
    (rules.pods_are_restricted, "root", lambda it: pod(deployment(it))["securityContext"].update(runAsUser=0)),
    (rules.pods_are_restricted, "a root file system to write", lambda it: container(it)["securityContext"].update(readOnlyRootFilesystem=False)),
    (rules.pods_are_restricted, "a capability", lambda it: container(it)["securityContext"]["capabilities"].update(add=["NET_RAW"])),
    (rules.pods_are_restricted, "the node's network", lambda it: pod(deployment(it)).update(hostNetwork=True)),
    (rules.pods_are_restricted, "no seccomp", lambda it: pod(deployment(it))["securityContext"].pop("seccompProfile")),
    (rules.pods_are_restricted, "a lax namespace", lambda it: it.named("Namespace", "baton")["metadata"].update(labels={})),
    (rules.no_pod_has_a_token, "a token", lambda it: pod(deployment(it)).pop("automountServiceAccountToken")),
    (rules.no_pod_has_a_token, "an account of nobody", lambda it: without(it, "ServiceAccount", "presence")),
    (rules.no_variables_of_other_services, "service links", lambda it: pod(deployment(it)).pop("enableServiceLinks")),
    (rules.evictions_are_limited, "no budget", lambda it: without(it, "PodDisruptionBudget", "presence")),
    (rules.evictions_are_limited, "no eviction at all", lambda it: it.named("PodDisruptionBudget", "presence")["spec"].update(maxUnavailable=0)),
    (rules.images_are_pinned, "latest", lambda it: container(it).update(image="localhost/baton:latest")),
    (rules.images_are_pinned, "no tag", lambda it: container(it).update(image="localhost:5000/baton")),
    (rules.probes_ask_for_health, "no probe", lambda it: container(it).pop("startupProbe")),
    (rules.probes_ask_for_health, "a probe of another port", lambda it: container(it)["readinessProbe"]["httpGet"].update(port="grpc")),
    (rules.services_listen_where_they_are_called, "another port", lambda it: settings(it, "0.0.0.0:7401", "0.0.0.0:7411")),
    (rules.services_listen_where_they_are_called, "a wrong peer", lambda it: settings(it, "http://routing:7401", "http://router:7401")),
    (rules.the_network_is_the_table, "an arrow too many", lambda it: policy(it, "presence")["egress"].append({"ports": [{"port": 7401}]})
        or policy(it, "telephony")["ingress"].append({"ports": [{"port": 7401}]})),
    (rules.the_network_is_the_table, "an arrow too few", lambda it: policy(it, "transfer").pop("egress")),
    (rules.the_network_is_the_table, "health for pods", lambda it: policy(it, "presence")["ingress"].append({"from": [{"podSelector": {}}]})
        or policy(it, "transfer")["egress"].append({})),
    (rules.the_network_is_the_table, "a server that nobody reaches", lambda it: without(it, "NetworkPolicy", "to-nats")),
    (rules.everything_else_is_refused, "no default", lambda it: without(it, "NetworkPolicy", "nothing-else")),
    (rules.everything_else_is_refused, "a Service without a policy", lambda it: without(it, "NetworkPolicy", "switch")),
    (rules.keys_exist, "a typo in baton.toml", lambda it: settings(it, "max_mib", "max_mb")),
    (rules.keys_exist, "a typo in a variable", lambda it: container(it).update(env=[{"name": "BATON_NATS__URI", "value": ""}])),
    (rules.two_never_decide_at_once, "two replicas", lambda it: deployment(it)["spec"].update(replicas=2)),
    (rules.two_never_decide_at_once, "a rolling update", lambda it: deployment(it, "routing")["spec"].pop("strategy")),
    (rules.a_finished_job_goes, "no TTL", lambda it: it.named("Job", "migrate")["spec"].pop("ttlSecondsAfterFinished")),
    (rules.all_services_are_there, "a service that is missing", lambda it: without(it, "Deployment", "presence")),
    (rules.all_services_are_there, "another namespace", lambda it: deployment(it)["metadata"].update(namespace="default")),
]
