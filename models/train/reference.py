"""A second implementation of the model, in numpy and float64, to prove that the files mean what they should.

Written from transformers' modeling_llama.py (4.51.1), not from model.py, and it reads only the checkpoint
directory: config.json, tokenizer.json, model.safetensors. It shares no code with the training.
"""
import json
import os

import ml_dtypes  # noqa: F401  lets safetensors hand out bfloat16 arrays
import numpy as np
from safetensors import safe_open
from tokenizers import Tokenizer


class Reference:
    def __init__(self, directory, dtype=np.float64):
        at = lambda name: os.path.join(directory, name)
        with open(at("config.json")) as file:
            self.config = json.load(file)
        with safe_open(at("model.safetensors"), "np") as file:
            self.weights = {name: file.get_tensor(name).astype(dtype) for name in file.keys()}
        tokenizer = at("tokenizer.json")
        self.tokenizer = Tokenizer.from_file(tokenizer) if os.path.exists(tokenizer) else None
        self.dtype = dtype

    def logits(self, ids):
        """ids [length] -> logits [length, vocab]."""
        c, w = self.config, self.weights
        length, dim = len(ids), c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"]
        inverse_frequency = 1.0 / c["rope_theta"] ** (np.arange(0, dim, 2) / dim)
        emb = np.outer(np.arange(length), inverse_frequency)
        emb = np.concatenate([emb, emb], axis=-1)
        cos, sin = np.cos(emb).astype(self.dtype), np.sin(emb).astype(self.dtype)

        def norm(x, name):
            return w[name] * (x / np.sqrt(np.mean(x ** 2, axis=-1, keepdims=True) + c["rms_norm_eps"]))

        def rope(x):
            rotated = np.concatenate([-x[:, dim // 2:], x[:, :dim // 2]], axis=-1)
            return x * cos + rotated * sin

        x = w["model.embed_tokens.weight"][np.asarray(ids)]
        for layer in range(c["num_hidden_layers"]):
            at = f"model.layers.{layer}."
            h = norm(x, at + "input_layernorm.weight")
            q, k, v = (h @ w[f"{at}self_attn.{name}_proj.weight"].T for name in "qkv")
            heads = []
            for head in range(c["num_attention_heads"]):
                group = head // (c["num_attention_heads"] // c["num_key_value_heads"])
                mine, shared = slice(head * dim, (head + 1) * dim), slice(group * dim, (group + 1) * dim)
                scores = rope(q[:, mine]) @ rope(k[:, shared]).T * dim ** -0.5
                scores[np.triu_indices(length, 1)] = -np.inf
                scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
                heads.append(scores / scores.sum(axis=-1, keepdims=True) @ v[:, shared])
            x = x + np.concatenate(heads, axis=-1) @ w[at + "self_attn.o_proj.weight"].T
            h = norm(x, at + "post_attention_layernorm.weight")
            gate = h @ w[at + "mlp.gate_proj.weight"].T
            gate = gate / (1 + np.exp(-gate))
            x = x + (gate * (h @ w[at + "mlp.up_proj.weight"].T)) @ w[at + "mlp.down_proj.weight"].T
        x = norm(x, "model.norm.weight")
        return x @ w["model.embed_tokens.weight" if c["tie_word_embeddings"] else "lm_head.weight"].T

    def greedy(self, prompt_ids, most=40):
        """(completion ids with eos, log probability of each, smallest lead of a chosen logit over the next best)."""
        ids, out, logprobs, margin = list(prompt_ids), [], [], np.inf
        while len(out) < most:
            last = self.logits(ids)[-1]
            chosen = int(np.argmax(last))
            top = np.sort(last)
            margin = min(margin, top[-1] - top[-2])
            logprobs.append(float(last[chosen] - (top[-1] + np.log(np.sum(np.exp(last - top[-1]))))))
            ids.append(chosen)
            out.append(chosen)
            if chosen == self.config["eos_token_id"]:
                break
        return out, logprobs, float(margin)
