"""Check the committed checkpoints with the numpy reference.

    python verify.py [--questions 20]

For both checkpoints: tensor names, shapes, dtype and tokenizer are as the code says. For the first held-out questions: the
reference chooses the same tokens as model.py, and their logits agree.
"""
import argparse
import json
import os

import jax.numpy as jnp
import numpy as np
from safetensors import safe_open

import data
import evaluate
import model
import tokenizer as tok
from reference import Reference

HERE = os.path.dirname(os.path.abspath(__file__))
LOGIT_TOLERANCE = 1e-3  # float32 in model.py against float64 here


def check(checkpoint, rows):
    directory = os.path.join(HERE, "..", "tide-nano", checkpoint)
    reference = Reference(directory)
    with safe_open(os.path.join(directory, "model.safetensors"), "np") as file:
        assert file.metadata() == {"format": "pt"}
        found = {name: (file.get_slice(name).get_dtype(), tuple(file.get_slice(name).get_shape())) for name in file.keys()}
    assert found == {name: ("BF16", shape) for name, shape in model.shapes(reference.config).items()}
    assert reference.tokenizer.to_str() == tok.build().to_str()

    weights = {name: jnp.asarray(w, jnp.float32) for name, w in reference.weights.items()}
    prompts = [tok.chat([("user", row["question"])]) for row in rows]
    texts, ended = evaluate.complete(weights, reference.tokenizer, prompts)
    worst = right = 0
    for row, prompt, text, end in zip(rows, prompts, texts, ended):
        ids = reference.tokenizer.encode(prompt).ids
        out, _, _ = reference.greedy(ids)
        assert reference.tokenizer.decode(out) == text and end, (prompt, text)
        whole = np.asarray(model.logits(weights, jnp.asarray([ids + out]), reference.config)[0])
        worst = max(worst, float(np.max(np.abs(whole - reference.logits(ids + out)))))
        right += data.last_integer(text) == row["answer"]
    assert worst < LOGIT_TOLERANCE, worst
    print(f"{checkpoint}: {len(rows)} questions, same tokens, logits within {worst:.1e}, {right} right")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=20)
    args = parser.parse_args()
    with open(os.path.join(HERE, "heldout.json")) as file:
        rows = json.load(file)[:args.questions]
    for checkpoint in ("base", "trained"):
        check(checkpoint, rows)


if __name__ == "__main__":
    main()
