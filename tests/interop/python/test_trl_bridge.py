"""Legacy TRL trainers, unmodified (PYTHONPATH chooses the release: 0.16, 0.17, 1.9, 1.10), sync two native servers through the bridge.

NCCL and CUDA are the C stand-in on both sides (cpu_nccl.py); the rendezvous is torch's and vLLM's own.
"""

import hashlib
import importlib
import os
import socket
import time
from urllib.parse import urlparse

import pytest
import requests
import torch
import trl
from cpu_nccl import stub

OLD = trl.__version__.startswith("0.")
client_module = importlib.import_module("trl.extras.vllm_client" if OLD else "trl.generation.vllm_client")
stub(client_module)
# 0.16 opens its communicator in the constructor.
AT_ONCE = trl.__version__.startswith("0.16")
SERVERS = os.environ["TIDEGATE_SERVERS"].split()
DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_model(count: int, seed: int) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(seed)
    model = torch.nn.Module()
    for index in range(count):
        values = torch.randn(1 + index % 7, 1 + (index * 37) % 200, generator=generator)
        parameter = torch.nn.Parameter(values.to(DTYPES[index % len(DTYPES)]), requires_grad=False)
        model.register_parameter(f"weight_{index}", parameter)
    return model


def digests(model: torch.nn.Module) -> dict[str, str]:
    return {
        name: hashlib.sha256(parameter.data.contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()
        for name, parameter in model.named_parameters()
    }


def open_client(base_url: str):
    if not OLD:
        client = client_module.VLLMClient(base_url=base_url, group_port=free_port(), connection_timeout=10)
    else:
        parts = urlparse(base_url)
        place = {"host": parts.hostname, "server_port": parts.port, "group_port": free_port()}
        client = client_module.VLLMClient(**place, connection_timeout=10)
    if not AT_ONCE:
        client.init_communicator()
    return client


def fleet(base_url: str) -> dict:
    return requests.get(f"{base_url}/api/fleet", timeout=10).json()


def check_all(expected: dict[str, str]) -> None:
    for server in SERVERS:
        for weights in requests.get(f"{server}/__fake/weights", timeout=10).json():
            assert weights == expected


def test_two_updates(base_url):
    client = open_client(base_url)
    before = fleet(base_url)["weight_version"]
    for seed in (1, 2):
        model = make_model(40, seed)
        client.update_model_params(model)
        client.reset_prefix_cache()
        check_all(digests(model))
        state = fleet(base_url)
        assert state["weight_version"] == before + seed
        assert [server["state"] for server in state["servers"]] == ["ready", "ready"]
    client.close_communicator()


def test_a_failure_is_said_by_the_next_call_and_mended_by_a_new_communicator(base_url):
    client = open_client(base_url)
    before = fleet(base_url)["weight_version"]
    requests.post(f"{SERVERS[1]}/__fake/fault", json={"path": "/update_weights", "kind": "fail", "after": 3}, timeout=10)
    model = make_model(12, 3)
    with pytest.raises(Exception, match="through the bridge failed"):
        client.update_model_params(model)
        client.reset_prefix_cache()
    assert fleet(base_url)["weight_version"] == before
    requests.post(f"{SERVERS[1]}/__fake/fault", data="null", timeout=10)
    client.close_communicator()
    while requests.get(f"{base_url}/get_world_size", timeout=10).json()["world_size"] < 3:
        time.sleep(0.1)
    # The same client: a new one would wait for /health/, which is not 200 while no server may serve.
    client.group_port = free_port()
    client.init_communicator()
    whole = make_model(40, 4)
    client.update_model_params(whole)
    client.reset_prefix_cache()
    check_all(digests(whole))
    assert fleet(base_url)["weight_version"] == before + 1
    client.close_communicator()
