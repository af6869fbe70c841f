"""Server-sent events of the Tidegate API, which OpenAPI cannot describe. Written by hand; the rest is generated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tidegate_client import AuthenticatedClient, Client
from tidegate_client.models import WeightSync


def read_events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Yields (event name, data) from the lines of an event stream."""
    name, data = "message", []
    for line in lines:
        if line == "":
            if data:
                yield name, "\n".join(data)
            name, data = "message", []
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif line.startswith("event:"):
            name = line[6:].strip()


def follow_weight_sync(client: AuthenticatedClient | Client, sync_id: str) -> Iterator[WeightSync]:
    """Follows a weight sync to its end: yields it after every change, the final state last."""
    http = client.get_httpx_client()
    with http.stream("GET", f"/api/weight-syncs/{sync_id}/events", timeout=None) as response:
        response.raise_for_status()
        for name, data in read_events(response.iter_lines()):
            if name == "sync":
                event: dict[str, Any] = json.loads(data)
                yield WeightSync.from_dict(event["sync"])
