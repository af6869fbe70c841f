"""Greedy token ids of checkpoints by `transformers`, as a reference: greedy.py LENGTH PROMPTS_JSON DIRECTORY... → JSON, one list per directory."""

import json
import sys

import torch
from transformers import AutoModelForCausalLM

length, prompts = int(sys.argv[1]), json.loads(sys.argv[2])
out = []
for directory in sys.argv[3:]:
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    answers = []
    for ids in prompts:
        with torch.inference_mode():
            made = model.generate(
                torch.tensor([ids]), do_sample=False, max_new_tokens=length, min_new_tokens=length, eos_token_id=None, pad_token_id=0
            )
        answers.append(made[0][len(ids) :].tolist())
    out.append(answers)
print(json.dumps(out))
