"""Uses the generated client against a running gateway: chat, completion, errors, a weight sync followed to its end.

    python clients/python/smoke.py URL MODEL_DIRECTORY
"""

import sys

from tidegate_client import Client
from tidegate_client.api.control import get_fleet, get_server
from tidegate_client.api.open_ai import create_chat_completion, create_completion
from tidegate_client.api.weights import get_weight_version, start_weight_sync
from tidegate_client.models import (
    ChatCompletionRequest,
    ChatRequestMessage,
    CompletionRequest,
    DiskSource,
    Fleet,
    Problem,
    StartSync,
    WeightSync,
    WeightVersionRecord,
)
from tidegate_events import follow_weight_sync


def main(url: str, directory: str) -> None:
    client = Client(url, raise_on_unexpected_status=True)

    fleet = get_fleet.sync(client=client)
    assert isinstance(fleet, Fleet) and fleet.state == "ready", fleet
    model = fleet.servers[0].models[0]

    question = ChatRequestMessage(role="user", content="What is 17 + 25?")
    chat = create_chat_completion.sync(
        client=client, body=ChatCompletionRequest(model=model, messages=[question], temperature=0)
    )
    assert chat.choices[0].message.content, chat

    completion = create_completion.sync_detailed(
        client=client, body=CompletionRequest(model=model, prompt="What is", max_tokens=4, logprobs=1)
    )
    assert completion.status_code == 200, completion
    assert completion.headers["x-weight-version"] == str(fleet.weight_version), completion.headers
    assert len(completion.parsed.choices[0].logprobs.tokens) > 0, completion.parsed

    problem = get_server.sync("nobody", client=client)
    assert isinstance(problem, Problem) and problem.code == "not_found", problem

    sync = start_weight_sync.sync(
        client=client, body=StartSync(source=DiskSource(kind="disk", path=directory), label="smoke")
    )
    assert isinstance(sync, WeightSync), sync
    states = list(follow_weight_sync(client, sync.id))
    assert states[-1].state == "completed", states[-1]
    record = get_weight_version.sync(sync.version, client=client)
    assert isinstance(record, WeightVersionRecord) and record.label == "smoke", record
    print(f"version {sync.version} after {len(states)} events")


if __name__ == "__main__":
    main(*sys.argv[1:])
