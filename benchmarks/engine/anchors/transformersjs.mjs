// transformers.js `generate()` on Node's CPU. `node transformersjs.mjs --model DIR [--dtype fp32] [--threads 1]`; DIR holds
// onnx/model.onnx (graph-files.ts). The package is looked for from --modules DIR, else from here.
import { createRequire } from "node:module";
import { basename, dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { now, oneByOne, option, serve, skip, toPromptIds } from "./serve.mjs";

const from = option("modules", undefined);
let entry;
try {
  entry = createRequire(from === undefined ? import.meta.url : `${resolve(from)}/x.js`).resolve(
    "@huggingface/transformers",
  );
} catch {
  skip("@huggingface/transformers is not installed (npm i @huggingface/transformers, then --modules DIR)");
}
const transformers = await import(pathToFileURL(entry.replace(/\.cjs$/, ".mjs")));
const { AutoModelForCausalLM, DynamicCache, LogitsProcessor, LogitsProcessorList, Tensor, env } = transformers;
const directory = resolve(option("model"));
env.allowRemoteModels = false;
env.localModelPath = dirname(directory);
const dtype = option("dtype", "fp32");
const model = await AutoModelForCausalLM.from_pretrained(basename(directory), {
  dtype,
  device: "cpu",
  local_files_only: true,
  session_options: {
    intraOpNumThreads: Number(option("threads", "1")),
    interOpNumThreads: 1,
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  },
});

/** Sees the logits of every step: time counts from the first token's to the last's, so that the prompt stays out. */
class Clock extends LogitsProcessor {
  at = [];
  onFirst = () => {};
  _call(_ids, logits) {
    if (this.at.length === 0) this.onFirst();
    this.at.push(now());
    return logits;
  }
}

const int64 = (values, dims) => new Tensor("int64", BigInt64Array.from(values, BigInt), dims);

async function generate(ids, batch, count, { cache, onFirst = () => {} } = {}) {
  const clock = new Clock();
  clock.onFirst = onFirst;
  const processors = new LogitsProcessorList();
  processors.push(clock);
  const dims = [batch, ids.length / batch];
  const result = await model.generate({
    input_ids: int64(ids, dims),
    attention_mask: int64(new Array(ids.length).fill(1), dims),
    max_new_tokens: count,
    min_new_tokens: count,
    do_sample: false,
    eos_token_id: null,
    logits_processor: processors,
    return_dict_in_generate: true,
    ...(cache === undefined ? {} : { past_key_values: cache }),
  });
  return { clock, result };
}

/** A cache of `batch` rows, each a copy of the one of `row`. */
function repeat(row, batch) {
  const entries = Object.entries(row).filter(([, value]) => value?.dims !== undefined);
  const wide = Object.fromEntries(
    entries.map(([name, tensor]) => {
      const data = new Float32Array(tensor.data.length * batch);
      for (let index = 0; index < batch; index++) data.set(tensor.data, index * tensor.data.length);
      return [name, new Tensor("float32", data, [batch, ...tensor.dims.slice(1)])];
    }),
  );
  return new DynamicCache(wide);
}

let salt = 100;
await serve(`transformers.js ${env.version} ${dtype}, Node ${process.versions.node}`, {
  async decode({ batch, context, steps }) {
    const ids = toPromptIds(context, salt++);
    const { result } = await generate(ids, 1, 1);
    const cache = repeat(result.past_key_values, batch);
    const wide = Array.from({ length: batch }, (_, row) => [...ids, 100 + row]).flat();
    const { clock } = await generate(wide, batch, steps + 1, { cache });
    return { ...clock.at.at(-1).since(clock.at[0]), tokens: batch * (clock.at.length - 1) };
  },
  async prefill({ tokens }) {
    const start = now();
    const { clock } = await generate(toPromptIds(tokens, salt++), 1, 1);
    return { ...clock.at[0].since(start), tokens };
  },
  arrivals: (operation) =>
    oneByOne(operation, (onFirst) =>
      generate(toPromptIds(operation.context, salt++), 1, operation.tokens, { onFirst }),
    ),
});
