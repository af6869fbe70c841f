"""What transformers makes of twenty chat prompts, in float32 on the CPU: smol_reference.py MODEL FOLDER

FOLDER/cases.json: per prompt its ids, the log probability of each of its tokens but the first, the greedy continuation of 64 tokens (the
end token is no end) and, per step, by how much the best logit leads the second. FOLDER/logits.safetensors: the logits of prompt i as "l<i>".
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

QUESTIONS = [
    "What is the capital of France?",
    "Write a haiku about the sea.",
    "Explain photosynthesis in one sentence.",
    "List three primes above 100.",
    "Who wrote Hamlet?",
    "Translate 'good morning' to Spanish.",
    "What is 12 times 9?",
    "Name a mammal that lays eggs.",
    "Why is the sky blue?",
    "Tell me a joke about a gate.",
    "How do I boil an egg?",
    "def add(a, b):",
    "Summarise the plot of Cinderella.",
    "What is the largest planet?",
    "Give me a recipe for bread, with flour, water, salt and yeast; say how long it rises and how hot the oven is.",
    "Define entropy.",
    "Wofür steht HTTP? Antworte auf Deutsch.",
    "Describe a cat 🐈 to somebody who has never seen one.",
    "How many days are in a leap year?",
    "What causes the tides, and why are there two of them a day and not one?",
]
LENGTH = 64


def main(directory: str, folder: pathlib.Path) -> None:
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
    cases, tensors = [], {}
    with torch.inference_mode():
        for index, question in enumerate(QUESTIONS):
            message = [{"role": "user", "content": question}]
            text = tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
            ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
            logits = model(ids).logits[0]
            tensors[f"l{index}"] = logits.clone().contiguous()
            logprobs = torch.log_softmax(logits[:-1].double(), dim=-1).gather(1, ids[0, 1:, None])[:, 0]
            made = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=LENGTH,
                min_new_tokens=LENGTH,
                do_sample=False,
                eos_token_id=None,
                pad_token_id=0,
                output_logits=True,
                return_dict_in_generate=True,
            )
            best = torch.stack(made.logits)[:, 0].topk(2).values
            cases.append(
                {
                    "text": text,
                    "ids": ids[0].tolist(),
                    "logprobs": logprobs.tolist(),
                    "greedy": made.sequences[0][ids.shape[1] :].tolist(),
                    "margins": (best[:, 0] - best[:, 1]).tolist(),
                }
            )
    save_file(tensors, folder / "logits.safetensors")
    (folder / "cases.json").write_text(json.dumps(cases))


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
