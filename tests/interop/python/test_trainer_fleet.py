"""Unmodified trainers drive a fleet of fake vLLM servers through one URL: TRL's VLLMClient and vLLM's own HTTP client.

NCCL is replaced at its boundary only: the two functions that open the trainer's endpoint and broadcast the packed
tensors. In their place is the TCP protocol of tests/fakes/vllm/tcp-peer.ts. All HTTP is the clients' own code.

TIDEGATE_FAKES: base URLs of the servers, in order, with commas. TIDEGATE_FAKE_RANKS: their ranks.
"""

import hashlib
import json
import os
import socket
import struct
import threading

import pytest
import requests
import torch
import trl
import trl.generation.vllm_client as vllm_client
from vllm.distributed.weight_transfer import nccl_engine
from vllm.distributed.weight_transfer.base import ParamMeta, WeightSource
from vllm.distributed.weight_transfer.clients import HTTPVLLMWeightSyncClient

pytestmark = pytest.mark.skipif(not trl.__version__.startswith("1.16"), reason="for TRL 1.16")

FAKES = [url for url in os.environ.get("TIDEGATE_FAKES", "").split(",") if url]
RANKS = [int(ranks) for ranks in os.environ.get("TIDEGATE_FAKE_RANKS", "").split(",") if ranks]


class TcpGroup:
    """Rank 0: listens where the init info says, waits for every other rank, broadcasts to all."""

    def __init__(self, info):
        get = info.get if isinstance(info, dict) else lambda name: getattr(info, name)
        self.world_size = get("world_size")
        self.ranks = {}
        self.group = type("Group", (), {"store": None, "socket": None})()
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((get("master_address"), get("master_port")))
            server.listen(64)
            server.settimeout(30)
            while len(self.ranks) < self.world_size - 1:
                peer, _ = server.accept()
                said = json.loads(peer.makefile("rb").readline())
                assert said["world_size"] == self.world_size, said
                assert said["rank"] not in self.ranks and 0 < said["rank"] < self.world_size, said
                self.ranks[said["rank"]] = peer
        for peer in self.ranks.values():
            peer.sendall(b"go\n")

    def broadcast(self, payload):
        for peer in self.ranks.values():
            peer.sendall(struct.pack(">I", len(payload)) + payload)

    def close(self):
        for peer in self.ranks.values():
            peer.close()

    destroy = close


def to_bytes(tensor):
    return tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes()


def packed_producer(iterator, group, src, post_iter_func, **sizes):
    """vLLM's packing rule with its default buffer, which these small tensors never fill: one broadcast."""
    assert src == 0
    group.broadcast(b"".join(to_bytes(post_iter_func(item)) for item in iterator))


@pytest.fixture(autouse=True)
def nccl_boundary(monkeypatch):
    opened = []

    def open_endpoint(info, rank=0):
        opened.append(TcpGroup(info))
        return opened[-1]

    monkeypatch.setattr(vllm_client, "open_trainer_endpoint", open_endpoint)
    monkeypatch.setattr(vllm_client, "packed_nccl_broadcast_producer", packed_producer)
    monkeypatch.setattr(nccl_engine, "open_trainer_endpoint", open_endpoint)
    monkeypatch.setattr(nccl_engine, "packed_nccl_broadcast_producer", packed_producer)
    yield opened
    for group in opened:
        group.close()


class Model(torch.nn.Module):
    def __init__(self, step):
        super().__init__()
        torch.manual_seed(step)
        shapes = [(32, 8), (16, 8), (8,), (32, 8)]
        dtypes = [torch.float32, torch.bfloat16, torch.float32, torch.float16]
        for at, (shape, dtype) in enumerate(zip(shapes, dtypes, strict=True)):
            self.register_parameter(f"p{at}", torch.nn.Parameter(torch.randn(shape).to(dtype), requires_grad=False))

    def digests(self):
        return {name: hashlib.sha256(to_bytes(value)).hexdigest() for name, value in self.named_parameters()}


def check_fleet(model, joins_before=0):
    offset = 1
    world_size = 1 + sum(RANKS)
    for url, ranks in zip(FAKES, RANKS, strict=True):
        seen = requests.get(f"{url}/__fake/transfer", timeout=10).json()
        assert seen["joins"][-1] == {"rankOffset": offset, "worldSize": world_size}
        assert {name: seen["tensors"][name] for name in model.digests()} == model.digests()
        assert set(seen["counts"].values()) == {1}, "every tensor once"
        assert not seen["dead"] and not seen["active"]
        offset += ranks


def greedy(client):
    return client.generate(["The gateway"], temperature=0.0, max_tokens=8)["completion_ids"]


def test_trl_client(base_url):
    client = vllm_client.VLLMClient(base_url=base_url, connection_timeout=10)
    assert client.get_world_size() == sum(RANKS)
    before = greedy(client)
    client.init_communicator(device="cuda")
    model = Model(1)
    client.update_model_params(model)
    client.reset_prefix_cache()
    check_fleet(model)
    assert greedy(client) != before
    assert len({str(greedy(client)) for _ in range(3 * len(FAKES))}) == 1, "all servers answer alike"
    again = Model(2)
    with client.weight_update():
        for name, value in again.named_parameters():
            client.update_named_param(name, value.data)
    client.reset_prefix_cache()
    check_fleet(again)


def test_generations_all_the_while(base_url):
    """TRL sends no pause: with requests running a plain vLLM server would die. Here none does, and every answer is whole."""
    client = vllm_client.VLLMClient(base_url=base_url, connection_timeout=10)
    client.init_communicator(device="cuda")
    ended = threading.Event()
    answers, failures = set(), []

    def ask():
        while not ended.is_set():
            answer = requests.post(
                f"{base_url}/v1/completions",
                json={"prompt": "The gateway", "max_tokens": 8, "temperature": 0, "return_token_ids": True},
                timeout=60,
            )
            if answer.status_code != 200:
                failures.append(answer.text)
                return
            answers.add((answer.headers["x-weight-version"], str(answer.json()["choices"][0]["token_ids"])))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        for step in range(3, 8):
            client.update_model_params(Model(step))
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert failures == []
    versions = [version for version, _ in answers]
    assert len(versions) == len(set(versions)), "one version, one set of weights"
    check_fleet(Model(7))


class Source(WeightSource):
    def __init__(self, model):
        self.model = model

    def metadata(self):
        return [ParamMeta(name, value.dtype, tuple(value.shape)) for name, value in self.model.named_parameters()]

    def __iter__(self):
        yield from self.model.named_parameters()


def test_vllm_http_client(base_url):
    world_size = 1 + requests.get(f"{base_url}/get_world_size", timeout=10).json()["world_size"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    info = nccl_engine.NCCLTrainerInitInfo(
        rank=0, master_address="127.0.0.1", master_port=port, world_size=world_size
    )
    client = HTTPVLLMWeightSyncClient(base_url, timeout=60)
    model = Model(9)
    engine = nccl_engine.NCCLTrainerWeightTransferEngine.trainer_init(info, client=client, source=Source(model))
    engine.client.start_weight_update()
    meta = engine.source.metadata()
    update = {
        "names": [one.name for one in meta],
        "dtype_names": [str(one.dtype).split(".")[-1] for one in meta],
        "shapes": [list(one.shape) for one in meta],
    }
    thread = threading.Thread(target=engine.client.update_weights, args=(update,))
    thread.start()
    engine._broadcast(engine.source, meta)
    thread.join()
    engine.client.finish_weight_update("step-9")
    check_fleet(model)
    assert requests.get(f"{base_url}/weight_info", timeout=10).json() == {"weight_version": "step-9"}
    client.shutdown_weight_transfer_engine()


def test_a_mistake_is_told_at_once(base_url):
    client = HTTPVLLMWeightSyncClient(base_url, timeout=60)
    with pytest.raises(requests.HTTPError) as refused:
        client.init_weight_transfer_engine(
            {"master_address": "0.0.0.0", "master_port": 1, "rank_offset": 1, "world_size": 1 + sum(RANKS)}
        )
    assert refused.value.response.status_code == 400
    assert "wildcard" in refused.value.response.text
