"""Unmodified `openai` for Python against the gateway in front of a real vLLM."""

from openai import OpenAI


def test_chat_and_stream(base_url, model):
    client = OpenAI(base_url=f"{base_url}/v1", api_key="not-needed", max_retries=0)
    messages = [{"role": "user", "content": "What is 17 + 25?"}]
    whole = client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=16)
    stream = client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=16, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert text == whole.choices[0].message.content


def test_models(base_url, model):
    client = OpenAI(base_url=f"{base_url}/v1", api_key="not-needed", max_retries=0)
    assert [entry.id for entry in client.models.list()] == [model]
