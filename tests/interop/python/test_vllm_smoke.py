"""A real vLLM behind the gateway: what comes through is what vLLM says, byte for byte where it can be compared."""

import json
import os
import re
import time

import pytest
import requests

UPSTREAM = os.environ["UPSTREAM_URL"]
CHAT = {"model": "tide-nano", "messages": [{"role": "user", "content": "What is 17 + 25?"}], "temperature": 0, "max_tokens": 12}


def scrub(text: str) -> str:
    """Ids and times differ between two calls; nothing else may."""
    text = re.sub(r"(chatcmpl|cmpl)-[0-9a-f-]+", r"\1-ID", text)
    return re.sub(r'"created":\s*\d+', '"created":0', text)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", CHAT),
        ("/v1/completions", {"model": "tide-nano", "prompt": [5, 6, 7], "max_tokens": 4, "temperature": 0, "return_token_ids": True}),
        ("/v1/completions", {"model": "tide-nano", "prompt": "17 + 25", "max_tokens": 4, "temperature": 0, "logprobs": 3, "prompt_logprobs": 1}),
        ("/v1/chat/completions", {**CHAT, "stream": True, "stream_options": {"include_usage": True}}),
        ("/v1/completions", {"model": "tide-nano", "prompt": "1", "temperature": -1}),
        ("/v1/completions", {"model": "tide-nano", "prompt": "1", "max_tokens": 1, "an_unknown_field": 9007199254740993}),
    ],
)
def test_same_as_upstream(base_url, path, body):
    direct = requests.post(UPSTREAM + path, json=body, timeout=60)
    through = requests.post(base_url + path, json=body, timeout=60)
    assert through.status_code == direct.status_code
    assert through.headers["content-type"] == direct.headers["content-type"]
    assert through.headers["x-weight-version"] == "0"
    assert scrub(through.text) == scrub(direct.text)


def test_fleet_tells_what_it_found(base_url):
    server = requests.get(f"{base_url}/api/fleet", timeout=10).json()["servers"][0]
    assert server["kind"] == "vllm"
    assert server["state"] == "ready"
    assert server["models"] == ["tide-nano"]
    assert server["world_size"] == 1


def running() -> float:
    text = requests.get(f"{UPSTREAM}/metrics", timeout=10).text
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("vllm:num_requests_running{"))


def test_leaving_client_cancels_upstream(base_url):
    body = {"model": "tide-nano", "prompt": "1", "max_tokens": 400, "ignore_eos": True, "stream": True, "n": 1}
    with requests.post(f"{base_url}/v1/completions", json=body, stream=True, timeout=60) as answer:
        next(answer.iter_lines())
    end = time.monotonic() + 2
    while running() > 0 and time.monotonic() < end:
        time.sleep(0.05)
    assert running() == 0


def test_pause_and_resume_reach_upstream(base_url):
    # vLLM's own field, and one result per server.
    paused = requests.post(f"{base_url}/pause", timeout=30).json()
    assert paused["status"] == "paused" and [one["id"] for one in paused["servers"]] == ["vllm-0"]
    assert requests.get(f"{UPSTREAM}/is_paused", timeout=10).json() == {"is_paused": True}
    assert requests.post(f"{base_url}/resume", timeout=30).json()["status"] == "resumed"
    assert requests.get(f"{UPSTREAM}/is_paused", timeout=10).json() == {"is_paused": False}


def test_stream_ends_with_done(base_url):
    answer = requests.post(f"{base_url}/v1/chat/completions", json={**CHAT, "stream": True}, timeout=60)
    lines = [line for line in answer.text.split("\n\n") if line]
    assert lines[-1] == "data: [DONE]"
    assert all(json.loads(line.removeprefix("data: ")) for line in lines[:-1])
