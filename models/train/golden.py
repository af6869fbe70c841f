"""Write golden.json: greedy answers of both checkpoints by the numpy reference, for the project's tests.

    python golden.py                # reads ../tide-nano/{base,trained} and heldout.json

Arithmetic is float64 on the bfloat16-rounded weights; float32 agrees to far less than the 6 decimals written, and
the run fails where it would not choose the same tokens. 12 held-out questions, then 12 training questions; every third with a
system message, two with an earlier turn, two in other words. A question on which `base` nearly has two choices (the best logit
leads by less than MARGIN) is passed over, so that a reader whose sums round differently still gets these tokens.
"""
import json
import os

import numpy as np

import data
import tokenizer as tok
from reference import Reference

HERE = os.path.dirname(os.path.abspath(__file__))
MARGIN = 0.1
SEED = 20  # of train.py
CHECKPOINTS = ("base", "trained")
SYSTEM = ("system", "You are a helpful assistant.")


def with_context(index, messages, earlier):
    """Every third conversation has a system message, the training questions 3 and 7 an earlier turn."""
    return [SYSTEM] * (index % 3 == 2) + (earlier if index in (3, 7) else []) + messages


def conversations(held):
    """Two lists of candidates, held-out and training, each a list of functions index -> messages."""
    training, _ = data.split(SEED)
    turn = data.plain(training[4000])

    def known(fact):
        words = f"What is {fact[0]} {data.WORD[fact[1]]} {fact[2]}?"
        return lambda index: with_context(index, [("user", words if index in (5, 9) else data.question(fact))], turn)

    unseen = [lambda index, row=row: with_context(index, [("user", row["question"])], []) for row in held]
    return unseen, [known(fact) for fact in training[700::577]]


def record(double, single, held_out, messages):
    """(case, largest difference of a log probability in float32)"""
    prompt = tok.chat(messages)
    ids = double.tokenizer.encode(prompt).ids
    out, logprobs, margin = double.greedy(ids)
    rows = single.logits(ids + out[:-1])[len(ids) - 1:]
    assert rows.argmax(axis=-1).tolist() == out, prompt
    rows = rows - rows.max(axis=-1, keepdims=True)
    logprobs32 = rows[np.arange(len(out)), out] - np.log(np.exp(rows).sum(axis=-1))
    return {
        "held_out": held_out,
        "messages": [{"role": role, "content": content} for role, content in messages],
        "prompt": prompt,
        "prompt_token_ids": ids,
        "completion_token_ids": out,
        "completion": double.tokenizer.decode(out),
        "logprobs": [round(x, 6) + 0.0 for x in logprobs],
        "smallest_margin": round(margin, 4),
    }, float(np.max(np.abs(np.array(logprobs) - logprobs32)))


def main():
    with open(os.path.join(HERE, "heldout.json")) as file:
        unseen, known = conversations(json.load(file))
    at = lambda name: os.path.join(HERE, "..", "tide-nano", name)
    readers = {name: (Reference(at(name)), Reference(at(name), np.float32)) for name in CHECKPOINTS}
    cases, worst = {name: [] for name in CHECKPOINTS}, 0.0
    for held_out, candidates in ((True, unseen), (False, known)):
        index = 0
        for candidate in candidates:
            found = {name: record(*readers[name], held_out, candidate(index)) for name in CHECKPOINTS}
            if min(case["smallest_margin"] for case, _ in found.values()) < MARGIN:
                continue
            for name, (case, difference) in found.items():
                cases[name].append({"checkpoint": name} | case)
                worst = max(worst, difference)
            index += 1
            if index == 12:
                break
    lines = cases["base"] + cases["trained"]
    head = {"arithmetic": "float64 on bfloat16-rounded weights", "float32_largest_logprob_difference": float(f"{worst:.1e}")}
    with open(os.path.join(HERE, "golden.json"), "w") as file:
        cases = ",\n".join("    " + json.dumps(line, ensure_ascii=False) for line in lines)
        file.write(json.dumps(head)[:-1] + ',\n  "cases": [\n' + cases + "\n  ]\n}\n")
    print(len(lines), "cases; float32 differs by at most", worst)


if __name__ == "__main__":
    main()
