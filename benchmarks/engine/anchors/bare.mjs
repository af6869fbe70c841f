// The bare loop: onnxruntime-node's `session.run` over the engine's own graph, cache buffers just large enough and given
// as past and present alike, greedy. `node bare.mjs --graph BARE.json [--threads 1]`. No scheduler, so no arrivals.
import { readFileSync } from "node:fs";
import { now, option, serve, skip, toPromptIds } from "./serve.mjs";

const ort = await import("onnxruntime-node").catch((error) =>
  skip(`onnxruntime-node is not installed (${error.code})`),
);
const { InferenceSession, Tensor } = ort.default ?? ort;
const meta = JSON.parse(readFileSync(option("graph"), "utf8"));
const { kvHeads, headDim, vocabSize } = meta;
const session = await InferenceSession.create(meta.file, {
  intraOpNumThreads: Number(option("threads", "1")),
  interOpNumThreads: 1,
  executionMode: "sequential",
  extra: { session: { intra_op: { allow_spinning: "0" } } },
});
const pastNames = meta.inputNames.slice(4);
const presentNames = meta.outputNames.slice(1);
const floats = (dims) => new Tensor("float32", new Float32Array(dims.reduce((a, b) => a * b, 1)), dims);

function createCaches(batch, positions) {
  return pastNames.map(() => floats([batch, kvHeads, positions, headDim]));
}

/** One run; `rows` of the flattened [batch × tokens] get logits. */
async function run(caches, ids, batch, length, rows) {
  const tokens = ids.length / batch;
  const feeds = {
    input_ids: new Tensor("int64", BigInt64Array.from(ids, BigInt), [batch, tokens]),
    seqlens_k: new Tensor("int32", new Int32Array(batch).fill(length - 1), [batch]),
    total_sequence_length: new Tensor("int32", Int32Array.of(length), [1]),
    logit_idx: new Tensor("int64", BigInt64Array.from(rows, BigInt), [rows.length]),
  };
  const fetches = { logits: floats([rows.length, vocabSize]) };
  caches.forEach((cache, index) => {
    feeds[pastNames[index]] = cache;
    fetches[presentNames[index]] = cache;
  });
  return (await session.run(feeds, fetches)).logits.data;
}

function argmax(logits, row) {
  let best = row * vocabSize;
  for (let at = best + 1; at < (row + 1) * vocabSize; at++) if (logits[at] > logits[best]) best = at;
  return best - row * vocabSize;
}

/** Caches of `batch` sequences of `context` tokens each: the first is run, the others are copies. */
async function fill(batch, context, positions) {
  const one = createCaches(1, positions);
  await run(one, toPromptIds(context, 1), 1, context, [context - 1]);
  const caches = createCaches(batch, positions);
  caches.forEach((cache, index) => {
    for (let row = 0; row < batch; row++) cache.data.set(one[index].data, row * one[index].data.length);
  });
  return caches;
}

let salt = 100;
await serve(
  `onnxruntime-node ${ort.default?.env?.versions?.node ?? ort.env?.versions?.node ?? ""}, Node ${process.versions.node}`,
  {
    async decode({ batch, context, steps }) {
      const caches = await fill(batch, context, context + steps + 2);
      let ids = Array.from({ length: batch }, (_, row) => 100 + row);
      const rows = ids.map((_, row) => row);
      const step = async (length) => {
        const logits = await run(caches, ids, batch, length, rows);
        ids = rows.map((row) => argmax(logits, row));
      };
      await step(context + 1);
      const start = now();
      for (let index = 0; index < steps; index++) await step(context + 2 + index);
      return { ...now().since(start), tokens: batch * steps };
    },
    async prefill({ tokens }) {
      const start = now();
      const logits = await run(createCaches(1, tokens + 1), toPromptIds(tokens, salt++), 1, tokens, [tokens - 1]);
      argmax(logits, 0);
      return { ...now().since(start), tokens };
    },
  },
);
