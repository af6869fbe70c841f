"""Unmodified TRL 1.16 `VLLMClient` (vLLM's own routes) against the gateway."""

import math

import pytest
import trl
from trl.generation.vllm_client import VLLMClient

pytestmark = pytest.mark.skipif(not trl.__version__.startswith("1.16"), reason="for TRL 1.16")


@pytest.fixture(scope="module")
def client(base_url):
    return VLLMClient(base_url=base_url, connection_timeout=10)


def test_check_server_and_model(client, model):
    client.check_server(10)
    assert client.model == model


def test_world_size(client):
    assert client.get_world_size() >= 1


def test_generate(client):
    answer = client.generate(["What is 1 + 2?", "What is 3 + 4?"], n=2, max_tokens=5)
    assert len(answer["prompt_ids"]) == 2
    assert len(answer["completion_ids"]) == 4
    assert all(0 < len(ids) <= 5 for ids in answer["completion_ids"])
    assert [len(row) for row in answer["logprobs"]] == [len(ids) for ids in answer["completion_ids"]]


def test_generate_from_ids(client):
    answer = client.generate([[5, 6, 7]], max_tokens=3, logprobs=2)
    assert answer["prompt_ids"] == [[5, 6, 7]]


def test_chat(client):
    conversation = [{"role": "user", "content": "What is 17 + 25?"}]
    answer = client.chat([conversation, conversation], n=2, max_tokens=6)
    assert len(answer["completion_ids"]) == 4


def test_sequence_logprobs_agree_with_sampling(client):
    sampled = client.generate(["What is 17 + 25?"], max_tokens=6, temperature=1.0, logprobs=0)
    sequence = sampled["prompt_ids"][0] + sampled["completion_ids"][0]
    scored = client.get_sequence_logprobs([sequence], [len(sampled["prompt_ids"][0])], top_logprobs=20)
    actual = [row[0] for row in scored["actual_logprobs"][0]] if "actual_logprobs" in scored else None
    assert actual is not None
    expected = [row[0] for row in sampled["logprobs"][0]]
    assert all(math.isclose(a, b, abs_tol=1e-3) for a, b in zip(actual, expected, strict=True) if math.isfinite(a))


def test_reset_prefix_cache(client):
    client.reset_prefix_cache()


def test_nccl_is_refused_with_a_sentence(base_url):
    import requests

    answer = requests.post(
        f"{base_url}/init_weight_transfer_engine",
        json={"init_info": {"master_address": "127.0.0.1", "master_port": 51216, "rank_offset": 1, "world_size": 2}},
        timeout=10,
    )
    assert answer.status_code in (400, 409)
    assert "NCCL" in answer.text
