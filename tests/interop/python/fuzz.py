"""Random requests made from the OpenAPI document: no 5xx, no answer off the schema, no worker death.

usage: fuzz.py BASE_URL REQUESTS
"""

import collections
import sys
import time

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

base, total = sys.argv[1], int(sys.argv[2])
schema = schemathesis.openapi.from_url(f"{base}/openapi.json")

# Streams that never end by themselves and calls that stop the fleet for the others are driven by tests of their own.
LEFT_OUT = {"/api/events", "/api/weight-syncs/{id}/events", "/pause", "/sleep", "/"}
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)

operations = [result.ok() for result in schema.get_all_operations()]
operations = [operation for operation in operations if operation.path not in LEFT_OUT]
fleet = requests.get(f"{base}/api/fleet", timeout=10).json()
workers = {server["id"]: server["details"].get("pid") for server in fleet["servers"]}

sent = 0
statuses: collections.Counter[str] = collections.Counter()
failures: dict[str, str] = {}


def leads_elsewhere(case) -> bool:
    """Random URLs would make the gateway call strangers; DELETE and PATCH of a served replica would leave nothing to test."""
    if case.operation.path == "/api/servers" and case.method == "POST":
        return True
    # A lease that is held makes every later sync wait for it, and in its streamed form the answer lasts as long as it.
    if case.operation.path == "/api/generation-leases" and case.method == "POST":
        return True
    if case.operation.path == "/api/servers/{id}" and case.method != "GET":
        return case.path_parameters.get("id") in workers
    source = case.body.get("source") if isinstance(case.body, dict) else None
    return isinstance(source, dict) and source.get("kind") == "http"


def attack(operation, examples: int, base_seed: int) -> None:
    @seed(base_seed)
    @settings(max_examples=examples, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def one(case):
        global sent
        if leads_elsewhere(case):
            return
        sent += 1
        response = case.call(base_url=base, timeout=60)
        statuses[str(response.status_code)] += 1
        try:
            case.validate_response(response, checks=CHECKS)
        except BaseException as error:  # noqa: BLE001 - collected, told at the end
            failures.setdefault(f"{case.method} {operation.path} {type(error).__name__}", str(error)[:1500])

    begin, before = time.monotonic(), sent
    try:
        one()
    except BaseException as error:  # noqa: BLE001
        failures.setdefault(f"{operation.method} {operation.path} generation", repr(error)[:800])
    print(f"{operation.method.upper():6} {operation.path:45} {sent - before:5} requests {time.monotonic() - begin:6.1f} s", flush=True)


for operation in operations:
    attack(operation, 40, 412)
# Routes without input are exhausted soon; the rest of the number goes to those with a body, where the input is rich.
rich = [operation for operation in operations if list(operation.body)]
turn = 0
while sent < total and turn < 10:
    turn += 1
    for operation in rich:
        attack(operation, -(-(total - sent) // len(rich)) if sent < total else 1, 412 + turn)
print(f"{sent} requests; statuses {dict(sorted(statuses.items()))}")
after = requests.get(f"{base}/api/fleet", timeout=10).json()
for server in after["servers"]:
    if server["state"] != "ready":
        failures[f"replica {server['id']}"] = f"{server['state']}: {server['last_error']}"
    if server["details"].get("pid") != workers.get(server["id"]):
        failures[f"replica {server['id']} restarted"] = str(server["last_error"])
for name, text in failures.items():
    print(f"FAILED {name}\n{text}\n")
print("fuzz ok" if not failures and sent >= total else f"fuzz failed: {len(failures)} kinds of failure, {sent} of {total} requests")
