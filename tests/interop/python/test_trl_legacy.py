"""Unmodified TRL clients of the trailing-slash dialect (0.17 and 1.10) against the gateway. PYTHONPATH chooses the release."""

from urllib.parse import urlparse

import pytest
import trl

LEGACY = not trl.__version__.startswith("1.16")
pytestmark = pytest.mark.skipif(not LEGACY, reason="for TRL 0.17 to 1.10")
OLD = trl.__version__.startswith("0.")


@pytest.fixture(scope="module")
def client(base_url):
    if OLD:
        from trl.extras.vllm_client import VLLMClient

        parts = urlparse(base_url)
        return VLLMClient(host=parts.hostname, server_port=parts.port, connection_timeout=10)
    from trl.generation.vllm_client import VLLMClient

    return VLLMClient(base_url=base_url, connection_timeout=10)


def test_check_server(client):
    client.check_server(10)


def test_generate_texts(client):
    answer = client.generate(["What is 1 + 2?", "What is 3 + 4?"], n=2, max_tokens=5)
    ids = answer if OLD else answer["completion_ids"]
    assert len(ids) == 4
    assert all(0 < len(row) <= 5 for row in ids)
    if not OLD:
        assert len(answer["prompt_ids"]) == 2
        assert [len(row) for row in answer["logprobs"]] == [len(row) for row in ids]


def test_generate_no_prompts(client):
    answer = client.generate([], max_tokens=5)
    assert (answer if OLD else answer["completion_ids"]) == []


@pytest.mark.skipif(OLD, reason="since 1.0")
def test_generate_from_ids(client):
    answer = client.generate([[5, 6, 7]], max_tokens=3, logprobs=2)
    assert answer["prompt_ids"] == [[5, 6, 7]]
    assert all(len(position) in (2, 3) for position in answer["logprobs"][0])


@pytest.mark.skipif(OLD, reason="since 0.25")
def test_chat(client):
    conversation = [{"role": "user", "content": "What is 17 + 25?"}]
    answer = client.chat([conversation, conversation], n=2, max_tokens=6)
    assert len(answer["completion_ids"]) == 4


@pytest.mark.skipif(OLD, reason="since 1.1")
def test_sequence_logprobs(client):
    for chunk in (0, 1):
        answer = client.get_sequence_logprobs([[5, 6, 7, 8], [9, 10, 11]], [2, 1], top_logprobs=4, chunk_size=chunk)
        assert [len(row) for row in answer["logprobs"]] == [2, 2]
        assert all(len(position) == 4 for row in answer["logprobs"] for position in row)


def test_reset_prefix_cache(client):
    client.reset_prefix_cache()


def test_close_communicator(client, base_url):
    # The method itself only works after init_communicator, which needs a GPU; this is the call it makes.
    answer = client.session.post(f"{base_url}/close_communicator/")
    assert answer.status_code == 200
