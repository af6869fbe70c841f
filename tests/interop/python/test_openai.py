"""Unmodified `openai` for Python against the gateway."""

import json

import openai
import pydantic
import pytest
from openai import OpenAI

QUESTION = [{"role": "user", "content": "What is 17 + 25?"}]


@pytest.fixture(scope="module")
def client(base_url):
    return OpenAI(base_url=f"{base_url}/v1", api_key="not-needed", max_retries=0)


def test_models(client, model):
    assert model in [entry.id for entry in client.models.list()]
    assert client.models.retrieve(model).id == model


def test_chat(client, model):
    answer = client.chat.completions.create(model=model, messages=QUESTION, temperature=0)
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_chat_stream_equals_chat(client, model):
    whole = client.chat.completions.create(model=model, messages=QUESTION, temperature=0)
    stream = client.chat.completions.create(
        model=model, messages=QUESTION, temperature=0, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens


def test_chat_logprobs(client, model):
    answer = client.chat.completions.create(
        model=model, messages=QUESTION, temperature=0, max_tokens=4, logprobs=True, top_logprobs=3
    )
    content = answer.choices[0].logprobs.content
    assert len(content) == 4
    assert all(entry.logprob <= 0 and len(entry.top_logprobs) == 3 for entry in content)
    assert content[0].logprob == max(top.logprob for top in content[0].top_logprobs)


def test_responses(client, model):
    ask = {"model": model, "input": QUESTION, "temperature": 0, "max_output_tokens": 8}
    whole = client.responses.create(**ask)
    assert whole.status in ("completed", "incomplete") and whole.output_text
    assert whole.usage.total_tokens == whole.usage.input_tokens + whole.usage.output_tokens
    deltas = [event.delta for event in client.responses.create(**ask, stream=True) if event.type.endswith("text.delta")]
    assert "".join(deltas) == whole.output_text
    with client.responses.stream(**ask) as stream:
        assert stream.get_final_response().output_text == whole.output_text


def test_responses_of_a_schema(client, model):
    class Sum(pydantic.BaseModel):
        answer: int

    parsed = client.responses.parse(model=model, input="What is 17 + 25?", text_format=Sum, temperature=0)
    assert isinstance(parsed.output_parsed, Sum)


def test_responses_that_would_need_a_store(client, model):
    with pytest.raises(openai.BadRequestError, match="no response is kept") as caught:
        client.responses.create(model=model, input="a", previous_response_id="resp_1")
    assert caught.value.param == "previous_response_id"


def test_completions_with_logprobs(client, model):
    answer = client.completions.create(model=model, prompt="17 + 25 =", max_tokens=5, temperature=0, logprobs=2)
    logprobs = answer.choices[0].logprobs
    assert len(logprobs.tokens) == len(logprobs.token_logprobs) == len(logprobs.text_offset) == len(logprobs.top_logprobs)
    assert answer.usage.completion_tokens == len(logprobs.tokens)


def test_completions_from_token_ids(client, model):
    answer = client.completions.create(
        model=model, prompt=[5, 6, 7], max_tokens=3, temperature=0, extra_body={"return_token_ids": True}
    )
    assert answer.choices[0].model_extra["prompt_token_ids"] == [5, 6, 7]
    assert len(answer.choices[0].model_extra["token_ids"]) <= 3


def test_n_samples_with_seed(client, model):
    def sample():
        answer = client.completions.create(model=model, prompt="17 +", max_tokens=6, temperature=1, n=3, seed=7)
        return [choice.text for choice in answer.choices]

    assert len(sample()) == 3
    assert sample() == sample()


def test_weight_version_header(client, model):
    raw = client.chat.completions.with_raw_response.create(model=model, messages=QUESTION, max_tokens=1)
    assert raw.headers["x-weight-version"].isdigit()
    assert raw.headers["x-weight-digest"].startswith("sha256:")


def test_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError, match="nope"):
        client.chat.completions.create(model="nope", messages=QUESTION)


def test_bad_temperature_is_bad_request(client, model):
    with pytest.raises(openai.BadRequestError, match="temperature") as caught:
        client.chat.completions.create(model=model, messages=QUESTION, temperature=-1)
    assert caught.value.param == "temperature"


def test_too_long_prompt_is_bad_request(client, model):
    with pytest.raises(openai.BadRequestError, match="maximum context length"):
        client.completions.create(model=model, prompt="word " * 20000, max_tokens=1)


def test_timeout_is_its_class(client, model):
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.001).chat.completions.create(model=model, messages=QUESTION)


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "add",
            "parameters": {
                "type": "object",
                "properties": {"a": {"type": "integer", "maximum": 9}, "b": {"enum": ["x", "y"]}},
                "required": ["a", "b"],
                "additionalProperties": False,
            },
        },
    },
    {"type": "function", "function": {"name": "now"}},
]


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "add"}}])
def test_tools(client, model, choice):
    request = dict(model=model, messages=QUESTION, tools=TOOLS, tool_choice=choice, parallel_tool_calls=False, seed=1)
    answer = client.chat.completions.create(max_tokens=200, **request).choices[0]
    assert answer.finish_reason == ("tool_calls" if choice == "required" else "stop")
    (call,) = answer.message.tool_calls
    arguments = json.loads(call.function.arguments)
    if choice != "required" or call.function.name == "add":
        assert isinstance(arguments["a"], int) and arguments["b"] in ("x", "y")
    with client.chat.completions.stream(max_tokens=200, **request) as stream:
        final = stream.get_final_completion().choices[0]
    (streamed,) = final.message.tool_calls
    assert (streamed.function.name, streamed.function.arguments) == (call.function.name, call.function.arguments)


def test_tools_refusals(client, model):
    with pytest.raises(openai.BadRequestError, match="does not match any of the specified"):
        client.chat.completions.create(
            model=model, messages=QUESTION, tools=TOOLS, tool_choice={"type": "function", "function": {"name": "sub"}}
        )
