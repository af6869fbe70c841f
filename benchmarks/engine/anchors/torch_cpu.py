"""transformers `generate()` on torch's CPU. `python torch_cpu.py --model DIR --dtype float32 [--threads 1]`"""
import os

import serving

arguments = serving.parse(__doc__, "--model", "--dtype")
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(arguments.threads)
os.environ.setdefault("HF_HUB_OFFLINE", "1")
try:
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, DynamicCache
except ImportError as error:
    serving.skip(f"torch with transformers is not installed ({error})")

transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(arguments.threads)
model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=getattr(torch, arguments.dtype)).eval()


class Clock:
    """Sees the logits of every step: time counts from the first token's to the last's, so that the prompt stays out."""

    def __init__(self, on_first=lambda: None):
        self.at = []
        self.on_first = on_first

    def __call__(self, _ids, scores):
        if not self.at:
            self.on_first()
        self.at.append(serving.now())
        return scores


def generate(ids, count, clock, **more):
    return model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, min_new_tokens=count,
                          do_sample=False, pad_token_id=0, logits_processor=[clock], **more)


@torch.inference_mode()
def decode(batch, context, steps):
    ids = torch.tensor([serving.prompt_ids(context)])
    cache = DynamicCache()
    model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    cache.batch_repeat_interleave(batch)
    wide = torch.cat([ids.expand(batch, -1), torch.arange(100, 100 + batch)[:, None]], 1)
    clock = Clock()
    generate(wide, steps + 1, clock, past_key_values=cache)
    (cpu, wall), (last_cpu, last_wall) = clock.at[0], clock.at[-1]
    return dict(cpu=last_cpu - cpu, wall=last_wall - wall, tokens=batch * (len(clock.at) - 1))


@torch.inference_mode()
def prefill(tokens):
    ids = torch.tensor([serving.prompt_ids(tokens)])
    start = serving.now()
    model(ids, logits_to_keep=1, use_cache=True).logits.argmax()
    return serving.since(start, tokens)


@torch.inference_mode()
def arrivals(requests, gap, context, tokens):
    def answer(on_first):
        generate(torch.tensor([serving.prompt_ids(context)]), tokens, Clock(on_first))

    return serving.one_by_one(requests, gap, tokens, answer)


serving.serve(f"torch {torch.__version__} {arguments.dtype}, transformers {transformers.__version__}",
              decode=decode, prefill=prefill, arrivals=arrivals)
