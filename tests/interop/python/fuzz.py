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
each = -(-total // len(operations))
fleet = requests.get(f"{base}/api/fleet", timeout=10).json()
workers = {server["id"]: server["details"].get("pid") for server in fleet["servers"]}

sent = 0
statuses: collections.Counter[str] = collections.Counter()
failures: dict[str, str] = {}
for operation in operations:
    strategy = operation.as_strategy()

    @seed(412)
    @settings(max_examples=each, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=strategy)
    def attack(case, operation=operation):
        global sent
        sent += 1
        # DELETE of the served replicas would leave nothing to test.
        if case.method == "DELETE" and operation.path == "/api/servers/{id}" and case.path_parameters["id"] in workers:
            return
        response = case.call(base_url=base, timeout=60)
        statuses[str(response.status_code)] += 1
        try:
            case.validate_response(response, checks=CHECKS)
        except BaseException as error:  # noqa: BLE001 - collected, told at the end
            failures.setdefault(f"{case.method} {operation.path} {type(error).__name__}", str(error)[:1500])

    begin = time.monotonic()
    try:
        attack()
    except BaseException as error:  # noqa: BLE001
        failures.setdefault(f"{operation.method} {operation.path} generation", repr(error)[:800])
    print(f"{operation.method.upper():6} {operation.path:45} {time.monotonic() - begin:6.1f} s", flush=True)

# A random search can fall short of the asked number on routes with few possible inputs: repeat the rich ones.
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
