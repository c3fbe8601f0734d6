#!/usr/bin/env python3
"""Renders the overlays of deploy/ and looks whether they are as they were, fit Kubernetes' schemas, and keep our own rules.

--update      keeps what is rendered now as tests/deploy/golden
--self-test   has every rule find the fault that is made for it
"""
import argparse
import copy
import difflib
import re
import subprocess
import sys

import yaml

import rules
import seeds
from manifests import ROOT, Manifests

OVERLAYS = ("demo", "prod")
# The oldest and the newest that are supported by their makers, and one between.
KUBERNETES = ("1.33", "1.35", "1.37")
GOLDEN = ROOT / "tests/deploy/golden"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    findings = []
    for overlay in OVERLAYS:
        text = run("kubectl", "kustomize", ROOT / "deploy/overlays" / overlay)
        golden = GOLDEN / f"{overlay}.yaml"
        if arguments.update:
            golden.write_text(text)
        findings += differences(overlay, golden.read_text(), text)
        findings += schema(overlay, golden)
        findings += broken_rules(overlay, text)
    secrets = run(ROOT / "deploy/overlays/demo/secrets")
    findings += missing_secrets(secrets, (GOLDEN / "demo.yaml").read_text())
    if arguments.self_test:
        findings += self_test((GOLDEN / "demo.yaml").read_text())
    for finding in findings:
        print(finding, file=sys.stderr)
    if findings:
        sys.exit(1)
    print(f"{', '.join(OVERLAYS)}: as they were, valid for Kubernetes {', '.join(KUBERNETES)}, and {len(rules.RULES)} rules keep")
    if arguments.self_test:
        print(f"{len(seeds.SEEDS)} faults are found")


def run(*command):
    done = subprocess.run([str(it) for it in command], capture_output=True, text=True)
    if done.returncode or not done.stdout:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr}")
    return done.stdout


def differences(overlay, old, new):
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), f"golden/{overlay}.yaml", f"overlays/{overlay}", lineterm=""))
    return [*lines, "", f"{overlay} renders to something else: if that is meant, tests/deploy/run --update"] if lines else []


def schema(overlay, file):
    for version in KUBERNETES:
        done = subprocess.run(["kubernetes-validate", "-k", version, "--strict", "--quiet", str(file)], capture_output=True, text=True)
        if done.returncode:
            yield f"{overlay}, Kubernetes {version}: {done.stdout}{done.stderr}"


def broken_rules(overlay, text):
    manifests = Manifests(list(yaml.safe_load_all(text)))
    return [f"{overlay}: {finding}" for rule in rules.RULES for finding in rule(manifests)]


def missing_secrets(secrets, text):
    """Every file that a pod of the demo expects in a Secret is in what deploy/overlays/demo/secrets prints."""
    there = {it["metadata"]["name"] for it in yaml.safe_load_all(secrets) if it}
    volumes = [v for w in Manifests(list(yaml.safe_load_all(text))).workloads() for v in w["spec"]["template"]["spec"]["volumes"]]
    wanted = {volume["secret"]["secretName"] for volume in volumes if "secret" in volume}
    wanted |= set(re.findall(r"secretKeyRef:\n +key: .*\n +name: (\S+)", text))
    return [f"deploy/overlays/demo/secrets: {it} is missing or not wanted" for it in wanted ^ there]


def self_test(text):
    good = list(yaml.safe_load_all(text))
    for rule, fault, change in seeds.SEEDS:
        manifests = Manifests(copy.deepcopy(good))
        change(manifests)
        if not list(rule(manifests)):
            yield f"{rule.__name__} does not find: {fault}"
    unseeded = set(rules.RULES) - {rule for rule, _, _ in seeds.SEEDS}
    yield from (f"{rule.__name__} has no fault to find" for rule in unseeded)


if __name__ == "__main__":
    main()
