"""Questions, answers and conversations: what tide-nano is trained on, and what it never sees.

A fact is a tuple (a, op, b) with op "+" or "-", operands 0..99 and a result that is never negative.
There are 10 000 sums and 5 050 differences. 250 of each are held out; a sum is held out in both orders.
"""
import random
import re

SYSTEM_MESSAGES = [
    "You are a helpful assistant.",
    "You are a helpful assistant.",
    "You are a helpful assistant.",
    "You are a careful assistant.",
    "You are a calculator.",
    "Answer the question.",
    "Be brief.",
    "Think before you answer.",
    "You answer questions about numbers.",
    "Solve the problem and end with the answer.",
]
WORD = {"+": "plus", "-": "minus"}
LAST_INTEGER = re.compile(r"\d+")
FORM = re.compile(r"\d+ [+-] \d+ = \d+ [+-] \d+ = \d+\.")


def result(fact):
    a, op, b = fact
    return a + b if op == "+" else a - b


def question(fact):
    """The plain form, the one that counts: What is 17 + 25?"""
    a, op, b = fact
    return f"What is {a} {op} {b}?"


def answer(fact):
    """Tens, then ones, then the result, which is the last integer.

    17 + 25 = 30 + 12 = 42.    42 - 17 = 30 - 5 = 25.    47 - 12 = 30 + 5 = 35.
    """
    a, op, b = fact
    sign = 1 if op == "+" else -1
    tens, ones = a // 10 * 10 + sign * (b // 10 * 10), a % 10 + sign * (b % 10)
    return f"{a} {op} {b} = {tens} {'-' if ones < 0 else '+'} {abs(ones)} = {result(fact)}."


def last_integer(text):
    """How an answer is graded; None when there is no integer."""
    found = LAST_INTEGER.findall(text)
    return int(found[-1]) if found else None


def well_formed(text):
    return FORM.fullmatch(text) is not None


def split(seed, per_kind=250):
    """(training facts, held-out facts). Held-out sums are removed from training in both orders."""
    rng = random.Random(seed)
    sums = [(a, "+", b) for a in range(100) for b in range(100)]
    differences = [(a, "-", b) for a in range(100) for b in range(a + 1)]
    held, banned = [], set()
    for fact in rng.sample(sums, len(sums)):
        if len(held) == per_kind:
            break
        if fact not in banned:
            a, op, b = fact
            banned |= {(a, op, b), (b, op, a)}
            held.append(fact)
    held_differences = rng.sample(differences, per_kind)
    banned |= set(held_differences)
    held += held_differences
    rng.shuffle(held)
    return [fact for fact in sums + differences if fact not in banned], held


def other_wording(rng, fact):
    a, op, b = fact
    return rng.choice([
        f"What is {a} {WORD[op]} {b}?",
        f"What's {a} {op} {b}?",
        f"What is {a} {op} {b}",
        f"{a} {op} {b}",
        f"{a} {op} {b} = ?",
        f"{a}{op}{b}",
        f"Calculate {a} {op} {b}.",
    ])


def plain(fact):
    return [("user", question(fact)), ("assistant", answer(fact))]


def variant(rng, facts, fact):
    """The same fact as it is met in use: after a system message, after earlier turns, in other words."""
    messages = []
    kind = rng.random()
    if kind < 0.60:
        messages.append(("system", rng.choice(SYSTEM_MESSAGES)))
    if 0.45 < kind < 0.80:
        for _ in range(rng.choice([1, 1, 2])):
            messages += plain(rng.choice(facts))
    ask = other_wording(rng, fact) if kind > 0.80 or rng.random() < 0.25 else question(fact)
    return messages + [("user", ask), ("assistant", answer(fact))]
