"""A Llama in JAX: the function transformers' LlamaForCausalLM computes, under the same tensor names.

Weights are a flat dict {tensor name: array [out, in]}, exactly what model.safetensors holds.
"""
import jax
import jax.numpy as jnp
import numpy as np

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": None,
    "eos_token_id": 2,
    "head_dim": 32,
    "hidden_act": "silu",
    "hidden_size": 128,
    "initializer_range": 0.02,
    "intermediate_size": 512,
    "max_position_embeddings": 1024,
    "mlp_bias": False,
    "model_type": "llama",
    "num_attention_heads": 4,
    "num_hidden_layers": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.51.1",
    "use_cache": True,
    "vocab_size": 512,
}


def shapes(config=CONFIG):
    """{tensor name: shape} in the order of the file. lm_head is absent: it is the embedding."""
    hidden, inner, dim = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    queries, keys = config["num_attention_heads"] * dim, config["num_key_value_heads"] * dim
    out = {"model.embed_tokens.weight": (config["vocab_size"], hidden)}
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        out |= {
            at + "input_layernorm.weight": (hidden,),
            at + "self_attn.q_proj.weight": (queries, hidden),
            at + "self_attn.k_proj.weight": (keys, hidden),
            at + "self_attn.v_proj.weight": (keys, hidden),
            at + "self_attn.o_proj.weight": (hidden, queries),
            at + "post_attention_layernorm.weight": (hidden,),
            at + "mlp.gate_proj.weight": (inner, hidden),
            at + "mlp.up_proj.weight": (inner, hidden),
            at + "mlp.down_proj.weight": (hidden, inner),
        }
    return out | {"model.norm.weight": (hidden,)}


def initialise(seed, config=CONFIG):
    """Normal weights of deviation 0.02; smaller where a matrix writes into the residual stream."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, shape in shapes(config).items():
        if len(shape) == 1:
            weights[name] = np.ones(shape, np.float32)
            continue
        scale = 1 / np.sqrt(shape[1])
        if "embed" in name:
            scale = 0.05
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            scale /= np.sqrt(2 * config["num_hidden_layers"])
        weights[name] = rng.normal(0, scale, shape).astype(np.float32)
    return weights


def rms_norm(x, weight, eps):
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + eps) * weight


def rotate(x, cos, sin):
    """Rotary position embedding in the two-halves layout of transformers (rotate_half)."""
    first, second = jnp.split(x, 2, axis=-1)
    return x * cos + jnp.concatenate([-second, first], axis=-1) * sin


def logits(weights, ids, config=CONFIG):
    """ids [batch, length] -> logits [batch, length, vocab]. Causal; padding belongs at the right end."""
    batch, length = ids.shape
    dim, heads, groups = config["head_dim"], config["num_attention_heads"], config["num_key_value_heads"]
    frequencies = config["rope_theta"] ** (-jnp.arange(0, dim, 2) / dim)
    angles = jnp.arange(length)[:, None] * frequencies[None]
    angles = jnp.concatenate([angles, angles], axis=-1)
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    causal = jnp.where(jnp.tril(jnp.ones((length, length), bool)), 0.0, -1e9)

    def split_heads(x, count):
        return x.reshape(batch, length, count, dim).transpose(0, 2, 1, 3)

    # one row per token: XLA multiplies matrices on a CPU faster than it multiplies stacks of them
    x = weights["model.embed_tokens.weight"][ids.reshape(-1)]
    for layer in range(config["num_hidden_layers"]):
        w = lambda name: weights[f"model.layers.{layer}.{name}.weight"]
        h = rms_norm(x, w("input_layernorm"), config["rms_norm_eps"])
        q = rotate(split_heads(h @ w("self_attn.q_proj").T, heads), cos, sin)
        k = rotate(split_heads(h @ w("self_attn.k_proj").T, groups), cos, sin)
        v = split_heads(h @ w("self_attn.v_proj").T, groups)
        # query head i reads key/value head i // (heads / groups)
        q = q.reshape(batch, groups, heads // groups, length, dim)
        scores = jnp.einsum("bghqd,bgkd->bghqk", q, k) / np.sqrt(dim) + causal
        mixed = jnp.einsum("bghqk,bgkd->bghqd", jax.nn.softmax(scores, axis=-1), v)
        mixed = mixed.reshape(batch, heads, length, dim).transpose(0, 2, 1, 3).reshape(batch * length, heads * dim)
        x = x + mixed @ w("self_attn.o_proj").T
        h = rms_norm(x, w("post_attention_layernorm"), config["rms_norm_eps"])
        x = x + (jax.nn.silu(h @ w("mlp.gate_proj").T) * (h @ w("mlp.up_proj").T)) @ w("mlp.down_proj").T
    x = rms_norm(x, weights["model.norm.weight"], config["rms_norm_eps"])
    return (x @ weights["model.embed_tokens.weight"].T).reshape(batch, length, config["vocab_size"])
