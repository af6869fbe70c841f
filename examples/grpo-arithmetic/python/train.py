"""GRPO over a gateway, with torch on the CPU: sample groups, score them, compare logprobs, step, hand over the new weights.

    python train.py --url http://127.0.0.1:8000 --model ../../../models/tide-nano/base

Writes JSON lines (see ../log.ts) on standard output. The forward pass is transformers' own, a second implementation beside the
engine of the gateway: that both give the same logprobs is checked in every step.
"""
import argparse
import json
import pathlib
import random
import re
import time

import requests
import safetensors.torch
import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

import rollouts

ROOT = pathlib.Path(__file__).resolve().parents[3]
# Clipping of the ratio: wider above, so that unlikely right answers may grow (DAPO, Yu et al., 2025).
CLIP_LOW, CLIP_HIGH = 0.2, 0.28
LOGPROB_TOLERANCE = 1e-3
WARM_UP = 8  # updates until the full rate
PASS = 128  # rows per forward pass


def say(**line):
    print(json.dumps(line), flush=True)


def read_sums():
    """(training, held out). Held-out sums are those of models/train/heldout.json; training has them in neither order."""
    questions = [row["question"] for row in json.loads((ROOT / "models/train/heldout.json").read_text())]
    held = [tuple(map(int, found.groups())) for q in questions if (found := re.fullmatch(r"What is (\d+) \+ (\d+)\?", q))]
    never = set(held) | {(b, a) for a, b in held}
    return [(a, b) for a in range(100) for b in range(100) if (a, b) not in never], held


def prompt(fact):
    """ChatML, as the model's own template renders one question."""
    return f"<|im_start|>user\nWhat is {fact[0]} + {fact[1]}?<|im_end|>\n<|im_start|>assistant\n"


def reward(fact, text):
    """1 when the last integer of the answer is the sum, else 0."""
    found = re.findall(r"\d+", text)
    return float(bool(found) and int(found[-1]) == sum(fact))


def to_batch(samples):
    """ids [rows, length], sampled logprobs and mask [rows, length - 1]: what position i says of token i + 1."""
    length = max(len(s["prompt"]) + len(s["ids"]) for s in samples)
    ids = torch.zeros(len(samples), length, dtype=torch.long)
    old, mask = torch.zeros(len(samples), length - 1), torch.zeros(len(samples), length - 1)
    for row, s in enumerate(samples):
        begin, end = len(s["prompt"]) - 1, len(s["prompt"]) + len(s["ids"]) - 1
        ids[row, : end + 1] = torch.tensor([*s["prompt"], *s["ids"]])
        old[row, begin:end], mask[row, begin:end] = torch.tensor(s["logprobs"]), 1
    return ids, old, mask


def logprobs(model, ids):
    out = torch.log_softmax(model(input_ids=ids).logits[:, :-1], dim=-1)
    return out.gather(-1, ids[:, 1:, None])[..., 0]


def no_grad_logprobs(model, ids):
    with torch.no_grad():
        return torch.cat([logprobs(model, part) for part in ids.split(PASS)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--updates", type=int, default=4, help="optimiser steps per batch of rollouts")
    parser.add_argument("--evaluate-every", type=int, default=5)
    parser.add_argument("--rollouts", choices=["auto", "trl", "requests"], default="auto")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    name, sample = rollouts.choose(args.url, args.rollouts)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
    # float32 master copies; the model computes with their bfloat16 values, as the server does.
    named = list(model.named_parameters())
    masters = [parameter.detach().clone().requires_grad_() for _, parameter in named]
    adam = torch.optim.Adam(masters, lr=args.rate, betas=(0.9, 0.99))
    # The first gradients say little about how much they vary.
    warm_up = torch.optim.lr_scheduler.LambdaLR(adam, lambda update: min(1.0, (update + 1) / WARM_UP))
    training, held = read_sums()
    session = requests.Session()
    software = f"torch {torch.__version__}, transformers {transformers.__version__}, rollouts by {name}"
    say(kind="run", trainer="python", software=software, seed=args.seed, steps=args.steps, prompts=args.prompts,
        samples=args.samples, rate=args.rate, updates=args.updates)
    start = time.monotonic()

    def ask(facts, n, temperature, seed, version):
        samples = sample([prompt(fact) for fact in facts], n, temperature, seed)
        # The weights of step s - 1 are version s - 1: nothing else may have answered.
        wrong = {s["version"] for s in samples} - {str(version)}
        assert not wrong, f"rollouts of version {wrong} instead of {version}"
        texts = tokenizer.batch_decode([s["ids"] for s in samples], skip_special_tokens=True)
        return samples, torch.tensor([reward(facts[index // n], text) for index, text in enumerate(texts)])

    def evaluate(step):
        _, right = ask(held, 1, 0.0, 0, step)
        say(kind="evaluation", step=step, weight_version=step, right=int(right.sum()), of=len(held), elapsed_s=time.monotonic() - start)

    if args.evaluate_every:
        evaluate(0)
    queue = []
    for step in range(1, args.steps + 1):
        if len(queue) < args.prompts:
            queue = rng.sample(training, len(training))
        facts, queue = queue[: args.prompts], queue[args.prompts :]
        begin = time.monotonic()
        samples, rewards = ask(facts, args.samples, 1.0, 1000 * args.seed + step, step - 1)
        sampled_at = time.monotonic()
        groups = rewards.view(-1, args.samples)
        # Reward minus the group's mean, over its deviation (GRPO, Shao et al., 2024).
        advantages = ((groups - groups.mean(1, keepdim=True)) / (groups.std(1, keepdim=True) + 1e-4)).view(-1)
        ids, old, mask = to_batch(samples)
        deltas = (no_grad_logprobs(model, ids) - old).abs() * mask
        mean = float(deltas.sum() / mask.sum())
        assert mean <= LOGPROB_TOLERANCE, f"mean |Δ logprob| is {mean}: the two do not have the same weights"

        teaching = advantages.nonzero()[:, 0]
        clipped = 0.0
        for update in range(args.updates):
            # Every so manieth sample of each group, so that every update learns from all sums of the step.
            rows = teaching[teaching % args.samples % args.updates == update]
            if len(rows) == 0:
                continue
            tokens, advantage = mask[rows].sum(), advantages[rows][:, None]
            new = logprobs(model, ids[rows])
            ratio = (new - old[rows]).exp()
            objective = torch.minimum(ratio * advantage, ratio.clamp(1 - CLIP_LOW, 1 + CLIP_HIGH) * advantage)
            model.zero_grad()
            (-(objective * mask[rows]).sum() / tokens).backward()
            for master, (_, parameter) in zip(masters, named):
                master.grad = parameter.grad
            torch.nn.utils.clip_grad_norm_(masters, 1.0)
            adam.step()
            warm_up.step()
            with torch.no_grad():
                for master, (_, parameter) in zip(masters, named):
                    parameter.copy_(master.bfloat16())
                flat = torch.where(advantage > 0, ratio > 1 + CLIP_HIGH, ratio < 1 - CLIP_LOW)
                clipped += float((flat * mask[rows]).sum())
        trained_at = time.monotonic()
        body = safetensors.torch.save({key: parameter.detach().bfloat16() for key, parameter in named})
        answer = session.post(
            f"{args.url}/api/weight-syncs", params={"version": step, "label": f"grpo step {step}"}, data=body,
            headers={"content-type": "application/octet-stream", "prefer": "wait=60"}, timeout=90,
        )
        sync = answer.json()
        assert answer.status_code == 200 and sync["state"] == "completed" and sync["version"] == step, answer.text
        say(kind="step", step=step, weight_version=step - 1, reward=float(rewards.mean()),
            teaching=int((groups.std(1) > 0).sum()), logprob_delta_mean=mean, logprob_delta_max=float(deltas.max()),
            tokens=int(mask.sum()), clipped=clipped / max(1.0, float(mask[teaching].sum())), digest=sync["digest"],
            sample_s=sampled_at - begin, train_s=trained_at - sampled_at, sync_s=time.monotonic() - trained_at,
            elapsed_s=time.monotonic() - start)
        if args.evaluate_every and (step % args.evaluate_every == 0 or step == args.steps):
            evaluate(step)
    say(kind="end", elapsed_s=time.monotonic() - start, trainer_cpu_s=time.process_time())


if __name__ == "__main__":
    main()
