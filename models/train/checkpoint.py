"""Write and read a checkpoint directory in Hugging Face layout. Weights are stored as bfloat16."""
import json
import os

import ml_dtypes
import numpy as np
from safetensors.numpy import load_file, save_file

import tokenizer as tok
from model import CONFIG


def rounded(weights):
    """The float32 values that a reader of the bfloat16 file sees."""
    return {name: np.asarray(w).astype(ml_dtypes.bfloat16).astype(np.float32) for name, w in weights.items()}


def write_json(path, value):
    with open(path, "w") as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")


def save(directory, weights, tokenizer, config=CONFIG):
    os.makedirs(directory, exist_ok=True)
    at = lambda name: os.path.join(directory, name)
    stored = {name: np.asarray(w).astype(ml_dtypes.bfloat16) for name, w in weights.items()}
    save_file(stored, at("model.safetensors"), metadata={"format": "pt"})
    os.chmod(at("model.safetensors"), 0o644)
    write_json(at("config.json"), config)
    write_json(at("generation_config.json"), {
        "eos_token_id": config["eos_token_id"],
        "pad_token_id": config["pad_token_id"],
        "transformers_version": config["transformers_version"],
    })
    tokenizer.save(at("tokenizer.json"))
    special = lambda content: {"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    write_json(at("special_tokens_map.json"), {
        "additional_special_tokens": [tok.START, tok.END],
        "eos_token": special(tok.END),
        "pad_token": special(tok.PAD),
    })
    write_json(at("tokenizer_config.json"), {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": {
            str(i): special(content) | {"special": True} for i, content in enumerate([tok.PAD, tok.START, tok.END])
        },
        "additional_special_tokens": [tok.START, tok.END],
        "bos_token": None,
        "chat_template": tok.CHATML,
        "clean_up_tokenization_spaces": False,
        "eos_token": tok.END,
        "model_max_length": config["max_position_embeddings"],
        "pad_token": tok.PAD,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": None,
    })
    with open(at("chat_template.jinja"), "w") as file:
        file.write(tok.CHATML)


def load(directory):
    """(config, weights in float32)"""
    with open(os.path.join(directory, "config.json")) as file:
        config = json.load(file)
    weights = load_file(os.path.join(directory, "model.safetensors"))
    return config, {name: w.astype(np.float32) for name, w in weights.items()}
