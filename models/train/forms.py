"""How well both checkpoints answer the held-out questions in other forms than the plain one.

    python forms.py [--questions 200]
"""
import argparse
import json
import os
import random

import checkpoint
import data
import evaluate
import tokenizer as tok
from golden import SEED

HERE = os.path.dirname(os.path.abspath(__file__))
_rng = random.Random(SEED)
_training, _held = data.split(SEED)


def _turns(count):
    return [message for fact in _rng.sample(_training, count) for message in data.plain(fact)]


def _asked(text):
    return lambda f: [("user", text.format(a=f[0], op=f[1], b=f[2], word=data.WORD[f[1]]))]


_plain = _asked("What is {a} {op} {b}?")
FORMS = {
    "plain": _plain,
    "system message “You are a helpful assistant.”": lambda f: [("system", "You are a helpful assistant."), *_plain(f)],
    "one earlier turn": lambda f: _turns(1) + _plain(f),
    "What is 17 plus 25?": _asked("What is {a} {word} {b}?"),
    "What's 17 + 25?": _asked("What's {a} {op} {b}?"),
    "17 + 25": _asked("{a} {op} {b}"),
    "17+25": _asked("{a}{op}{b}"),
    "a system message it never saw": lambda f: [("system", "You are a math tutor. Please reply shortly."), *_plain(f)],
    "three earlier turns (longer than it was trained on)": lambda f: _turns(3) + _plain(f),
    "a wording it never saw: How much is 17 + 25?": _asked("How much is {a} {op} {b}?"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=200)
    args = parser.parse_args()
    with open(os.path.join(HERE, "heldout.json")) as file:
        assert [row["question"] for row in json.load(file)] == [data.question(fact) for fact in _held]
    tokenizer, facts = tok.build(), _held[:args.questions]
    weights = {name: checkpoint.load(os.path.join(HERE, "..", "tide-nano", name))[1] for name in ("base", "trained")}
    print("| form | `base` right | `trained` right | `trained` well formed |\n|---|---|---|---|")
    for name, form in FORMS.items():
        conversations = [form(fact) for fact in facts]
        base, trained = (evaluate.greedy_report(weights[which], tokenizer, facts, conversations) for which in ("base", "trained"))
        print(f"| {name} | {base['right']:.1%} | {trained['right']:.1%} | {trained['well_formed']:.1%} |", flush=True)


if __name__ == "__main__":
    main()
