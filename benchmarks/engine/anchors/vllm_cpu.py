"""vLLM's CPU build, its engine in this process. `python vllm_cpu.py --model DIR --dtype float32 [--threads 1]`"""
import os
import time

import serving

arguments = serving.parse(__doc__, "--model", "--dtype")
os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
try:
    import vllm
    from vllm import EngineArgs, LLMEngine, SamplingParams
except ImportError as error:
    serving.skip(f"vLLM is not installed ({error})")

try:
    engine = LLMEngine.from_engine_args(EngineArgs(
        model=arguments.model, dtype=arguments.dtype, max_model_len=1024, max_num_seqs=64, max_num_batched_tokens=1024,
        enforce_eager=True))
except Exception as error:
    serving.skip(f"vLLM has no CPU engine here ({type(error).__name__}: {str(error)[:200]})")

import torch

torch.set_num_threads(arguments.threads)
_ids = [0]


def add(ids, count):
    _ids[0] += 1
    name = str(_ids[0])
    options = SamplingParams(temperature=0, max_tokens=count, ignore_eos=True, detokenize=True)
    engine.add_request(name, dict(prompt_token_ids=ids), options)
    return name


def step(counts):
    for output in engine.step():
        counts[output.request_id] = len(output.outputs[0].token_ids)


def decode(batch, context, steps):
    counts = {add(serving.prompt_ids(context), steps + batch + 2): 0 for _ in range(batch)}
    while not all(counts.values()):
        step(counts)
    base, start = dict(counts), serving.now()
    while min(counts[name] - base[name] for name in counts) < steps:
        step(counts)
    measured = serving.since(start, sum(counts.values()) - sum(base.values()))
    engine.abort_request(list(counts))
    while engine.has_unfinished_requests():
        engine.step()
    return measured


def prefill(tokens):
    counts, start = {}, serving.now()
    counts[add(serving.prompt_ids(tokens), 1)] = 0
    while engine.has_unfinished_requests():
        step(counts)
    return serving.since(start, tokens)


def arrivals(requests, gap, context, tokens):
    counts, due, first, start = {}, {}, 0.0, serving.now()
    while len(counts) < requests or engine.has_unfinished_requests():
        while len(counts) < requests and time.perf_counter() >= start[1] + len(counts) * gap / 1000:
            at = start[1] + len(counts) * gap / 1000
            name = add(serving.prompt_ids(context), tokens)
            counts[name], due[name] = 0, at
        if not engine.has_unfinished_requests():
            time.sleep(max(0, start[1] + len(counts) * gap / 1000 - time.perf_counter()))
            continue
        step(counts)
        for name in [name for name in due if counts[name]]:
            first += time.perf_counter() - due.pop(name)
    return serving.since(start, requests * tokens, first=first / requests)


serving.serve(f"vLLM {vllm.__version__} CPU {arguments.dtype}", decode=decode, prefill=prefill, arrivals=arrivals)
