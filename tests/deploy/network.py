"""Which pod may connect to which, by the NetworkPolicies: both sides have to allow it."""
from manifests import SERVICES, TABLE, labels, matches, pod

SERVICE_PORT = 7401
SERVERS = {"postgresql": 5432, "nats": 4222, "switch": 7450}


def arrows(manifests):
    """(from, to, port) of all connections that the policies allow between the pods of this overlay, by the workloads' names."""
    pods = {it["metadata"]["name"]: it for it in manifests.workloads()}
    ports = {name: [port["containerPort"] for c in pod(it)["containers"] for port in c.get("ports", [])] for name, it in pods.items()}
    found = set()
    for caller, from_pod in pods.items():
        for callee, to_pod in pods.items():
            for port in ports[callee]:
                leaves = allows(manifests, "egress", from_pod, to_pod, port)
                arrives = allows(manifests, "ingress", to_pod, from_pod, port)
                if leaves and arrives:
                    found.add((caller, callee, port))
    return found


def allows(manifests, direction, own, other, port):
    """Whether the policies of `own` allow this connection from or to `other`."""
    kind = direction.capitalize()
    own_policies = [it for it in manifests.of("NetworkPolicy") if matches(it["spec"]["podSelector"], labels(own))]
    own_policies = [it for it in own_policies if kind in it["spec"]["policyTypes"]]
    if not own_policies:
        return True
    rules = [rule for it in own_policies for rule in it["spec"].get(direction) or []]
    return any(rule_allows(rule, direction, other, port) for rule in rules)


def rule_allows(rule, direction, other, port):
    peers = rule.get("from" if direction == "ingress" else "to")
    to_port = not rule.get("ports") or any(it.get("port") == port for it in rule["ports"])
    return to_port and (not peers or any(is_peer(peer, other) for peer in peers))


def is_peer(peer, other):
    """Pods of this overlay are in one namespace, so a selector of namespaces means others; and a block of addresses means machines outside."""
    if "ipBlock" in peer or "namespaceSelector" in peer:
        return False
    return matches(peer["podSelector"], labels(other))


def expected(manifests):
    """The same by the table, for what is in this overlay. The gateway's port is open to all, and no pod of ours has a way out to it."""
    there = {it["metadata"]["name"] for it in manifests.workloads()}
    found = {(caller, callee, SERVICE_PORT) for caller, callees in TABLE["services"].items() for callee in callees}
    for caller, servers in TABLE["servers"].items():
        found |= {(caller, server, SERVERS[server]) for server in servers if server in there}
    if "switch" in there:
        # The simulated one, whose phones clients ask for.
        found.add(("gateway", "switch", SERVERS["switch"]))
    return found


def missing_to_servers(manifests):
    """Servers outside: each caller of the table has a policy that lets it leave on the server's port."""
    there = {it["metadata"]["name"]: it for it in manifests.workloads()}
    for caller, servers in TABLE["servers"].items():
        for server in servers:
            policy = manifests.named("NetworkPolicy", f"to-{server}")
            if policy is None or not matches(policy["spec"]["podSelector"], labels(there[caller])):
                yield f"{caller} may not connect to {server}: to-{server}"
            elif [it["port"] for rule in policy["spec"]["egress"] for it in rule["ports"]] != [SERVERS[server]]:
                yield f"to-{server} opens other ports than {SERVERS[server]}"


assert set(TABLE["servers"]) == {*SERVICES, "migrate"}
