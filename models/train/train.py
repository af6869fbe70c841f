"""Train tide-nano on sums and differences and write its two checkpoints, `base` and `trained`.

    python train.py                 # minutes on two CPU cores; see README.md

Every choice follows from SEED: the split, the order of the facts, the initial weights. While it trains, the script
measures the held-out questions with the bfloat16-rounded weights. `base` is the checkpoint on the way that
knows the form of an answer and is right nearest to BASE_TARGET of the time; `trained` is the last one.
"""
import argparse
import json
import os
import random
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

import checkpoint
import data
import evaluate
import model
import tokenizer as tok

SEED = 20
STEPS = 1500
PLAIN, PLAIN_LENGTH = 64, 41
VARIANTS, VARIANT_LENGTH = 6, 128
PEAK_RATE = 3e-3
EVALUATE_EVERY = 20
BASE_TARGET, BASE_RANGE = 0.25, (0.10, 0.40)
HERE = os.path.dirname(os.path.abspath(__file__))


def pad(rows, length):
    """[(ids, mask)] -> ids [rows, length], mask [rows, length]; padding at the right end, mask 0."""
    ids, mask = np.zeros((len(rows), length), np.int32), np.zeros((len(rows), length), np.float32)
    for row, (i, m) in enumerate(rows):
        ids[row, :len(i)], mask[row, :len(m)] = i, m
    return ids, mask


def batches(seed, tokenizer, facts):
    """Endless (plain ids, plain mask, variant ids, variant mask). Plain facts come in shuffled passes over all."""
    rng = random.Random(seed)
    encoded = {fact: tok.encode_conversation(tokenizer, data.plain(fact)) for fact in facts}
    encoded = {fact: (ids[:-1], mask[:-1]) for fact, (ids, mask) in encoded.items()}
    queue = []
    while True:
        if len(queue) < PLAIN:
            queue += rng.sample(facts, len(facts))
        chosen, queue = queue[:PLAIN], queue[PLAIN:]
        variants = []
        while len(variants) < VARIANTS:
            row = tok.encode_conversation(tokenizer, data.variant(rng, facts, rng.choice(facts)))
            if len(row[0]) <= VARIANT_LENGTH:
                variants.append(row)
        yield *pad([encoded[fact] for fact in chosen], PLAIN_LENGTH), *pad(variants, VARIANT_LENGTH)


def loss(weights, batch):
    """Mean cross entropy over the assistant's tokens of both parts of the batch."""
    total, count = 0.0, 0.0
    for ids, mask in ((batch[0], batch[1]), (batch[2], batch[3])):
        out = model.logits(weights, ids[:, :-1])
        each = optax.softmax_cross_entropy_with_integer_labels(out, ids[:, 1:])
        total, count = total + jnp.sum(each * mask[:, 1:]), count + jnp.sum(mask[:, 1:])
    return total / count


def optimizer(steps):
    """AdamW: short warm-up, then a straight line to zero; no decay on norms."""
    rate = optax.join_schedules([
        optax.linear_schedule(0.0, PEAK_RATE, 100),
        optax.linear_schedule(PEAK_RATE, 0.0, steps - 100),
    ], [100])
    matrices = {name: len(shape) == 2 for name, shape in model.shapes().items()}
    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(rate, b1=0.9, b2=0.98, weight_decay=0.1, mask=matrices),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=os.path.join(HERE, "..", "tide-nano"))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args()

    facts, held = data.split(args.seed)
    tokenizer = tok.build()
    weights = {name: jnp.asarray(w) for name, w in model.initialise(args.seed).items()}
    optimize = optimizer(args.steps)
    state = optimize.init(weights)

    @jax.jit
    def step(weights, state, batch):
        value, gradient = jax.value_and_grad(loss)(weights, batch)
        updates, state = optimize.update(gradient, state, weights)
        return optax.apply_updates(weights, updates), state, value

    start, candidates, curve = time.time(), [], []
    stream = batches(args.seed, tokenizer, facts)
    for number in range(1, args.steps + 1):
        weights, state, value = step(weights, state, next(stream))
        if number % EVALUATE_EVERY and number != args.steps:
            continue
        seen = checkpoint.rounded(weights)
        accuracy = evaluate.forced_accuracy(seen, tokenizer, held)
        curve.append({"step": number, "loss": round(float(value), 4), "held_out": accuracy})
        print(f"step {number}  loss {float(value):.4f}  held out {accuracy:.3f}  {time.time() - start:.0f} s", flush=True)
        if BASE_RANGE[0] <= accuracy <= BASE_RANGE[1]:
            candidates.append((number, accuracy, seen))

    for number, accuracy, seen in sorted(candidates, key=lambda c: abs(c[1] - BASE_TARGET)):
        report = evaluate.greedy_report(seen, tokenizer, held)
        if report["well_formed"] >= 0.99:
            break
    else:
        raise SystemExit("no checkpoint knew the form and was right between 10 % and 40 % of the time")
    results = {"base": {"step": number} | report}
    checkpoint.save(os.path.join(args.out, "base"), seen, tokenizer)
    results["trained"] = {"step": args.steps} | evaluate.greedy_report(checkpoint.rounded(weights), tokenizer, held)
    checkpoint.save(os.path.join(args.out, "trained"), weights, tokenizer)
    results |= {"seed": args.seed, "parameters": int(sum(w.size for w in weights.values()))}
    print(json.dumps(results, indent=2), f"\n{time.time() - start:.0f} s")
    checkpoint.write_json(os.path.join(HERE, "results.json"), results | {"curve": curve})
    with open(os.path.join(HERE, "heldout.json"), "w") as file:
        rows = [json.dumps({"question": data.question(f), "answer": data.result(f)}) for f in held]
        file.write("[\n" + ",\n".join(rows) + "\n]\n")


if __name__ == "__main__":
    main()
