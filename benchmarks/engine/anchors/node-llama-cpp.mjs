// llama.cpp through node-llama-cpp, its public interface: it batches the sequences that are evaluated at the same time.
// `node node-llama-cpp.mjs --gguf FILE [--threads 1] [--modules DIR]`.
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { now, option, serve, skip, toPromptIds } from "./serve.mjs";

const from = option("modules", undefined);
let entry;
try {
  const require = createRequire(from === undefined ? import.meta.url : `${resolve(from)}/x.js`);
  entry = require.resolve.paths("node-llama-cpp").map((path) => `${path}/node-llama-cpp/dist/index.js`);
} catch {
  entry = [];
}
const { existsSync } = await import("node:fs");
const found = entry.find((path) => existsSync(path));
if (found === undefined) skip("node-llama-cpp is not installed (npm i node-llama-cpp, then --modules DIR)");
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(found));
const threads = Number(option("threads", "1"));
const llama = await getLlama({
  gpu: false,
  build: "never",
  maxThreads: threads,
  logLevel: LlamaLogLevel.error,
  skipDownload: true,
});
const model = await llama.loadModel({ modelPath: resolve(option("gguf")), gpuLayers: 0 });

/** Batches above are slow to set up here: every sequence reads its own prompt. */
const BATCH_LIMIT = 8;
let salt = 100;

async function withContext(sequences, positions, use) {
  const context = await model.createContext({
    sequences,
    contextSize: positions,
    batchSize: 512,
    threads,
    ignoreMemorySafetyChecks: true,
  });
  try {
    return await use(() => context.getSequence());
  } finally {
    await context.dispose();
  }
}

/** Evaluates greedily; `onToken` is called after each, and ends it by returning false. */
async function run(sequence, ids, count, onToken) {
  let made = 0;
  for await (const _ of sequence.evaluate(ids, { temperature: 0 })) {
    made += 1;
    if (onToken() === false || made === count) break;
  }
}

await serve(`node-llama-cpp ${option("gguf").split("/").at(-1)}, Node ${process.versions.node}`, {
  decode: ({ batch, context, steps }) =>
    batch > BATCH_LIMIT
      ? undefined
      : withContext(batch, context + steps + batch + 32, async (getSequence) => {
          const counts = new Array(batch).fill(0);
          let start;
          let base;
          let measured;
          const look = (row) => {
            counts[row] += 1;
            if (start === undefined && counts.every((count) => count > 0)) {
              start = now();
              base = [...counts];
            } else if (start !== undefined && counts.every((count, index) => count - base[index] >= steps)) {
              measured ??= {
                ...now().since(start),
                tokens: counts.reduce((sum, count, index) => sum + count - base[index], 0),
              };
            }
            return measured === undefined;
          };
          await Promise.all(
            counts.map((_, row) =>
              run(getSequence(), toPromptIds(context, salt++), steps + batch + 2, () => look(row)),
            ),
          );
          return measured;
        }),
  prefill: ({ tokens }) =>
    withContext(1, tokens + 8, async (getSequence) => {
      const start = now();
      await run(getSequence(), toPromptIds(tokens, salt++), 1, () => false);
      return { ...now().since(start), tokens };
    }),
  arrivals: ({ requests, gap, context, tokens }) =>
    withContext(requests, context + tokens + 8, async (getSequence) => {
      const start = now();
      let first = 0;
      const all = [];
      for (let index = 0; index < requests; index++) {
        await new Promise((done) => setTimeout(done, Math.max(0, start.time + index * gap - performance.now())));
        const arrived = performance.now();
        let seen = false;
        const look = () => {
          if (!seen) first += (performance.now() - arrived) / 1000;
          seen = true;
          return true;
        };
        all.push(run(getSequence(), toPromptIds(context, salt++), tokens, look));
      }
      await Promise.all(all);
      return { ...now().since(start), tokens: requests * tokens, first: first / requests };
    }),
});
