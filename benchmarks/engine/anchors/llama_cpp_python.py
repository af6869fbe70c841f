"""llama.cpp through the C interface of llama-cpp-python: llama_decode in a loop, greedy, nothing around it.
`python llama_cpp_python.py --gguf FILE [--threads 1]`"""
import ctypes
import time

import serving

arguments = serving.parse(__doc__, "--gguf")
try:
    import llama_cpp as llama
    import numpy
except ImportError as error:
    serving.skip(f"llama-cpp-python is not installed ({error})")

quiet = llama.llama_log_callback(lambda *_: None)
llama.llama_log_set(quiet, ctypes.c_void_p(0))
llama.llama_backend_init()
model = llama.llama_model_load_from_file(arguments.gguf.encode(), llama.llama_model_default_params())
vocabulary = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model))
BATCH = 2048


class Context:
    def __init__(self, positions, sequences):
        options = llama.llama_context_default_params()
        options.n_ctx, options.n_batch, options.n_ubatch, options.n_seq_max = positions * sequences, BATCH, 512, sequences
        options.n_threads = options.n_threads_batch = arguments.threads
        # A buffer of its own for each sequence: as fast as one for all (batch 8 and 32), and copies are real ones.
        options.kv_unified = False
        self.handle = llama.llama_init_from_model(model, options)
        self.batch = llama.llama_batch_init(BATCH, 0, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        llama.llama_batch_free(self.batch)
        llama.llama_free(self.handle)

    def run(self, rows):
        """rows: (token, position, sequence, wants logits)."""
        batch = self.batch
        batch.n_tokens = len(rows)
        for index, (token, position, sequence, wanted) in enumerate(rows):
            batch.token[index], batch.pos[index], batch.logits[index] = token, position, wanted
            batch.n_seq_id[index], batch.seq_id[index][0] = 1, sequence
        status = llama.llama_decode(self.handle, batch)
        if status:
            raise RuntimeError(f"llama_decode returned {status}")

    def best(self, row):
        logits = numpy.ctypeslib.as_array(llama.llama_get_logits_ith(self.handle, row), (vocabulary,))
        return int(logits.argmax())

    def read(self, sequence, ids):
        for start in range(0, len(ids), BATCH):
            part = ids[start:start + BATCH]
            self.run([(token, start + index, sequence, start + index == len(ids) - 1) for index, token in enumerate(part)])
        return self.best(len(part) - 1)


def decode(batch, context, steps):
    with Context(context + steps + 8, batch) as loop:
        # One prompt is read, the other sequences get a copy of its cells.
        tokens = [loop.read(0, serving.prompt_ids(context))]
        for sequence in range(1, batch):
            llama.llama_memory_seq_cp(llama.llama_get_memory(loop.handle), 0, sequence, -1, -1)
            tokens.append(100 + sequence)
        for step in range(steps + 1):
            if step == 1:
                start = serving.now()
            loop.run([(token, context + step, sequence, True) for sequence, token in enumerate(tokens)])
            tokens = [loop.best(row) for row in range(batch)]
        return serving.since(start, batch * steps)


def prefill(tokens):
    with Context(tokens + 8, 1) as loop:
        start = serving.now()
        loop.read(0, serving.prompt_ids(tokens))
        return serving.since(start, tokens)


def arrivals(requests, gap, context, tokens):
    """Every call decodes what runs and reads the prompts that have come meanwhile."""
    with Context(context + tokens + 8, requests) as loop:
        start = serving.now()
        made, last, arrived, first = [], [], 0, 0.0
        while arrived < requests or min(made) < tokens:
            rows, owners = [], []
            for sequence in range(arrived):
                if made[sequence] < tokens:
                    rows.append((last[sequence], context + made[sequence] - 1, sequence, True))
                    owners.append((len(rows) - 1, sequence))
            while arrived < requests and time.perf_counter() >= start[1] + arrived * gap / 1000:
                ids = serving.prompt_ids(context)
                rows += [(token, index, arrived, index == context - 1) for index, token in enumerate(ids)]
                owners.append((len(rows) - 1, arrived))
                made.append(0)
                last.append(0)
                arrived += 1
            if not rows:
                time.sleep(max(0, start[1] + arrived * gap / 1000 - time.perf_counter()))
                continue
            loop.run(rows)
            for row, sequence in owners:
                if made[sequence] == 0:
                    first += time.perf_counter() - start[1] - sequence * gap / 1000
                last[sequence] = loop.best(row)
                made[sequence] += 1
        return serving.since(start, requests * tokens, first=first / requests)


serving.serve(f"llama.cpp (llama-cpp-python {llama.__version__}) {arguments.gguf.split('/')[-1]}",
              decode=decode, prefill=prefill, arrivals=arrivals)
