"""How good a set of weights is on the held-out questions, greedy, in float32."""
import jax
import jax.numpy as jnp
import numpy as np

import data
import model
import tokenizer as tok

MOST_NEW_TOKENS = 32


@jax.jit
def _choices(weights, ids):
    return jnp.argmax(model.logits(weights, ids), axis=-1)


def forced_accuracy(weights, tokenizer, facts):
    """Share of questions whose expected answer is, token for token, the greedy one. One forward pass, so cheap."""
    rows = [tok.encode_conversation(tokenizer, data.plain(fact)) for fact in facts]
    length = max(len(ids) for ids, _ in rows)
    ids, mask = np.zeros((len(rows), length), np.int32), np.zeros((len(rows), length), bool)
    for row, (i, m) in enumerate(rows):
        ids[row, :len(i)], mask[row, :len(m)] = i, m
    right = np.asarray(_choices(weights, ids[:, :-1])) == ids[:, 1:]
    return round(float(np.mean(np.all(right | ~mask[:, 1:], axis=1))), 4)


def complete(weights, tokenizer, prompts):
    """Greedy text after each prompt, and whether it ended with <|im_end|> within MOST_NEW_TOKENS."""
    rows = [tokenizer.encode(prompt).ids for prompt in prompts]
    starts = np.array([len(row) for row in rows])
    ids = np.zeros((len(rows), max(starts) + MOST_NEW_TOKENS), np.int32)
    for row, i in enumerate(rows):
        ids[row, :len(i)] = i
    end, every = tokenizer.token_to_id(tok.END), np.arange(len(rows))
    ended = np.full(len(rows), -1)
    for new in range(MOST_NEW_TOKENS):
        chosen = np.asarray(_choices(weights, ids))[every, starts + new - 1]
        ids[every, starts + new] = chosen
        ended = np.where((ended < 0) & (chosen == end), new, ended)
        if np.all(ended >= 0):
            break
    texts = [tokenizer.decode(ids[r, starts[r]:starts[r] + (ended[r] if ended[r] >= 0 else MOST_NEW_TOKENS)].tolist()) for r in every]
    return texts, ended >= 0


def greedy_report(weights, tokenizer, facts, conversations=None):
    """Shares over the facts: right (last integer), well formed (sentence and <|im_end|>). Asked plainly by default."""
    conversations = conversations or [[("user", data.question(fact))] for fact in facts]
    texts, ended = complete(weights, tokenizer, [tok.chat(messages) for messages in conversations])
    right = [data.last_integer(text) == data.result(fact) for text, fact in zip(texts, facts)]
    formed = [data.well_formed(text) and bool(end) for text, end in zip(texts, ended)]
    return {"right": round(float(np.mean(right)), 4), "well_formed": round(float(np.mean(formed)), 4)}
