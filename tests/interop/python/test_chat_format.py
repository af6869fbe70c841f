"""What `tidegate chat-format` writes, opened by Python transformers: loads, same logits on old ids, same tokens and text.

Needs torch and transformers; TIDEGATE_COMMAND is the command line of tidegate (set by tests/interop/run.mjs).
"""

import json
import os
import pathlib
import shlex
import subprocess

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
FIXTURES = REPOSITORY / "tests/fixtures/chat-format"
COMMAND = shlex.split(os.environ.get("TIDEGATE_COMMAND", "node_modules/.bin/bun src/cli/main.ts"))
CASES = {case["name"]: case for case in json.loads((FIXTURES / "cases.json").read_text())["cases"]}
# The command has no way to clear a template; the library has.
RUNS = [name for name, case in CASES.items() if not case["clear_template_first"]]


def convert(source: pathlib.Path, out: pathlib.Path, arguments: dict) -> None:
    multiple = arguments.get("resize_to_multiple_of")
    options = [] if multiple is None else ["--resize-to-multiple-of", str(multiple)]
    subprocess.run([*COMMAND, "chat-format", str(source), "--out", str(out), *options], cwd=REPOSITORY, check=True)


def logits(model, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0]


@pytest.fixture(params=RUNS)
def case(request, tmp_path):
    found = CASES[request.param]
    convert(FIXTURES / found["before_folder"], tmp_path / "out", found["arguments"])
    return found, FIXTURES / found["before_folder"], tmp_path / "out"


def test_the_model_loads_and_old_logits_are_unchanged(case):
    expected, before, out = case
    old, info_old = AutoModelForCausalLM.from_pretrained(before, dtype="auto", output_loading_info=True)
    new, info = AutoModelForCausalLM.from_pretrained(out, dtype="auto", output_loading_info=True)
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        assert set(info[problem]) == set(info_old[problem]), problem
    after = expected["expected"]["after"]
    assert list(new.get_input_embeddings().weight.shape) == after["embedding_shape"]
    assert list(new.get_output_embeddings().weight.shape) == after["lm_head_shape"]
    assert new.config.vocab_size == after["config"]["vocab_size"]
    rows = min(old.config.vocab_size, new.config.vocab_size)
    ids = list(range(0, rows, 7))
    was, now = logits(old, ids)[:, :rows], logits(new, ids)[:, :rows]
    # A matrix product may sum in another order when the matrix has another height.
    torch.testing.assert_close(now, was, rtol=1e-5, atol=1e-6 if was.dtype == torch.float32 else 1e-2)
    for key, value in after["generation_config"].items():
        assert getattr(GenerationConfig.from_pretrained(out), key) == value, key
        assert getattr(new.config, key) == value, key


def test_new_rows_are_the_mean_of_the_old(case):
    expected, before, out = case
    new = AutoModelForCausalLM.from_pretrained(out, dtype="auto")
    for key, matrix in (("embedding", new.get_input_embeddings()), ("lm_head", new.get_output_embeddings())):
        law = expected["expected"][key]
        if "expected_mean" not in law:
            continue
        drawn = matrix.weight.detach()[law["rows_before"] :].float()
        off = (drawn - torch.tensor(law["expected_mean"])).abs()
        assert bool((off <= torch.tensor(law["tolerance"])).all()), key


def test_the_tokenizer_loads_and_encodes_alike(case):
    expected, _, out = case
    after = expected["expected"]["after"]
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert len(tokenizer) == after["len_tokenizer"]
    assert tokenizer.bos_token_id == after["special_ids"]["bos"]
    assert tokenizer.eos_token_id == after["special_ids"]["eos"]
    assert tokenizer.pad_token_id == after["special_ids"]["pad"]
    assert tokenizer.chat_template == after["chat_template"]
    chat = after["chat"]
    assert tokenizer.apply_chat_template(chat["messages"], tokenize=False) == chat["text"]
    for row in after["encodings"]:
        assert tokenizer(row["text"], add_special_tokens=False)["input_ids"] == row["ids"], row["text"]


def test_a_directory_of_transformers_5_stays_one(tmp_path):
    """Saved by the transformers at hand, in shards and in half precision, changed, and opened again."""
    source = FIXTURES / "llama-untied-pad/before"
    made, out = tmp_path / "made", tmp_path / "out"
    old = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float16)
    old.save_pretrained(made, max_shard_size="20KB")
    AutoTokenizer.from_pretrained(source).save_pretrained(made)
    assert (made / "model.safetensors.index.json").exists()
    convert(made, out, {"resize_to_multiple_of": 64})
    new, info = AutoModelForCausalLM.from_pretrained(out, dtype="auto", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
    assert new.dtype == torch.float16
    rows = old.config.vocab_size
    assert new.config.vocab_size == 320
    torch.testing.assert_close(logits(new, [1, 5, 9])[:, :rows], logits(old, [1, 5, 9]), rtol=1e-3, atol=1e-3)
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"]) == [311, 312]
    assert tokenizer.eos_token_id == tokenizer.pad_token_id == 312
    text = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True)
    assert text == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    # Saving it once more with transformers changes neither ids nor the template.
    tokenizer.save_pretrained(tmp_path / "again")
    again = AutoTokenizer.from_pretrained(tmp_path / "again")
    assert len(again) == len(tokenizer) == 313 and again.chat_template == tokenizer.chat_template
