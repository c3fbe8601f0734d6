"""What the rules look at: the rendered objects of one overlay, and the files that they are compared with."""
import json
import pathlib
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEFAULTS = tomllib.loads((ROOT / "libs/runtime/default.toml").read_text())
TABLE = json.loads((ROOT / "deploy/who-calls-whom.json").read_text())
DOCUMENT = ROOT / "docs/deploy.md"
# Above what the configuration says: `GRACE` of services/baton/src/serve/mod.rs.
GRACE_S = 5
SERVICES = list(TABLE["services"])


class Manifests:
    def __init__(self, objects):
        self.objects = objects

    def of(self, *kinds):
        return [it for it in self.objects if it["kind"] in kinds]

    def named(self, kind, name):
        return next((it for it in self.of(kind) if it["metadata"]["name"] == name), None)

    def workloads(self):
        return self.of("Deployment", "StatefulSet", "Job")

    def settings(self):
        """baton.toml, as the ConfigMap has it."""
        found = [it["data"]["baton.toml"] for it in self.of("ConfigMap") if "baton.toml" in it["data"]]
        assert len(found) == 1, "there is one baton.toml"
        return tomllib.loads(found[0])

    def setting(self, section, key):
        return self.settings().get(section, {}).get(key, DEFAULTS[section][key])


def name(workload):
    return f"{workload['kind']} {workload['metadata']['name']}"


def pod(workload):
    return workload["spec"]["template"]["spec"]


def labels(workload):
    return workload["spec"]["template"]["metadata"]["labels"]


def containers(workload):
    return pod(workload).get("initContainers", []) + pod(workload)["containers"]


def service_of(workload):
    """The Baton service that a workload runs, or None."""
    arguments = pod(workload)["containers"][0].get("args", [])
    return arguments[1] if arguments[:1] == ["serve"] else None


def port_of(address):
    return int(address.rsplit(":", 1)[1])


def matches(selector, labels_):
    """A selector of Kubernetes, with matchLabels and the operators In and Exists."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels_.get(key) != value:
            return False
    for expression in selector.get("matchExpressions") or []:
        value = labels_.get(expression["key"])
        if expression["operator"] not in ("In", "Exists"):
            raise NotImplementedError(expression["operator"])
        if value is None or (expression["operator"] == "In" and value not in expression["values"]):
            return False
    return True
