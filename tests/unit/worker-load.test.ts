/** What a model directory and weight sets must be to be served, and what is said when they are not. */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { WeightSet } from "../../src/engine/engine.ts";
import { type ErrorCode, GatewayError } from "../../src/errors.ts";
import { createFiles } from "../../src/platform/shared/files.ts";
import type { Dtype } from "../../src/tensor/dtype.ts";
import { narrow, widen } from "../../src/tensor/half.ts";
import { openWeights } from "../../src/tensor/weights.ts";
import { type TensorToWrite, writeSafetensors } from "../../src/tensor/write.ts";
import { createBatcher } from "../../src/worker/batch.ts";
import type { LoadModelOptions } from "../../src/worker/batch-types.ts";
import { loadModel } from "../../src/worker/load-model.ts";
import { openWords } from "../../src/worker/requests/served-model.ts";
import { runAll, sampling } from "../support/batch.ts";

const files = createFiles();
const toPath = (relative: string) => decodeURIComponent(new URL(relative, import.meta.url).pathname);
const BASE = toPath("../../models/tide-nano/base");
const TRAINED = toPath("../../models/tide-nano/trained");

let directory = "";
const tensors: TensorToWrite[] = [];
before(async () => {
  directory = mkdtempSync(join(tmpdir(), "worker-load-"));
  const weights = await openWeights(files, BASE);
  for (const [name, { dtype, shape }] of weights.tensors) {
    const bytes = await weights.read(name);
    tensors.push({ name, dtype, shape, data: () => bytes });
  }
  await weights.close();
});
after(() => rmSync(directory, { recursive: true }));

let count = 0;
async function save(content: readonly TensorToWrite[], partial: boolean): Promise<WeightSet> {
  const path = join(directory, `set-${count++}.safetensors`);
  const writer = await files.openWrite(path);
  await writeSafetensors(writer, content);
  await writer.close();
  return { files: [path], digest: `sha256:${"0".repeat(64)}` as WeightSet["digest"], partial };
}

const load = (over: Partial<LoadModelOptions> = {}) =>
  loadModel({ files, directory: BASE, sets: [], device: "auto", maxModelLen: 64, onProgress: () => {}, ...over });

async function refuses(work: Promise<unknown>, code: ErrorCode, pattern: RegExp): Promise<GatewayError> {
  const error = await work.then(
    () => assert.fail(`expected ${code}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof GatewayError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, pattern);
  return error;
}

describe("loadModel", () => {
  test("reports tensors, digest, progress; the digest is of the bytes as stored", async () => {
    const seen: [number, number][] = [];
    const model = await load({ onProgress: (done, total) => seen.push([done, total]) });
    assert.equal(model.tensors.length, tensors.length);
    assert.deepEqual(
      model.tensors.find(({ name }) => name === "model.norm.weight"),
      {
        name: "model.norm.weight",
        dtype: "BF16",
        shape: [128],
      },
    );
    const total = seen[0]![1];
    assert.deepEqual(seen[0], [0, total]);
    assert.deepEqual(seen.at(-1), [total, total]);
    assert.equal(model.maxModelLen, 64);
    const copy = await load({ sets: [await save(tensors, false)] });
    assert.equal(copy.digest, model.digest);
    const trained = await load({ directory: TRAINED });
    assert.notEqual(trained.digest, model.digest);
    for (const each of [model, copy, trained]) each.release();
  });

  test("sets are laid over the directory in order; a complete one replaces all", async () => {
    const trained = await load({ directory: TRAINED });
    const full: WeightSet = { files: [join(TRAINED, "model.safetensors")], digest: trained.digest, partial: false };
    const norm = tensors.find(({ name }) => name === "model.norm.weight")!;
    const partial = await save([norm], true);
    const after = await load({ sets: [partial, full] });
    assert.equal(after.digest, trained.digest);
    const mixed = await load({ sets: [full, partial] });
    assert.notEqual(mixed.digest, trained.digest);
    for (const each of [trained, after, mixed]) each.release();
  });

  test("F32 and F16 tensors are taken like BF16 ones", async () => {
    const prompt = { key: 0, promptIds: [5, 9, 23], samples: 1, sampling: sampling({ maxTokens: 8 }) };
    const answers: unknown[] = [];
    for (const dtype of ["BF16", "F32", "F16"] as const) {
      const converted = tensors.map((tensor) => ({
        ...tensor,
        dtype: dtype as Dtype,
        data: () => narrow(dtype, widen("BF16", tensor.data() as Uint8Array)),
      }));
      const model = await load({ sets: [await save(converted, false)] });
      answers.push(runAll(createBatcher(model, { maxConcurrency: 1, maxQueue: 1 }), [prompt]).results.get("0/0")!.ids);
      model.release();
    }
    assert.deepEqual(answers[1], answers[0]);
    assert.deepEqual(answers[2], answers[0]);
  });

  test("rotary buffers of old checkpoints are ignored", async () => {
    const buffer: TensorToWrite = {
      name: "model.layers.0.self_attn.rotary_emb.inv_freq",
      dtype: "F32",
      shape: [16],
      data: () => new Uint8Array(64),
    };
    const plain = await load();
    const model = await load({ sets: [await save([...tensors, buffer], false)] });
    assert.equal(model.digest, plain.digest);
    for (const each of [plain, model]) each.release();
  });

  const NAME = "model.layers.2.mlp.up_proj.weight";
  const replaced = (change: (tensor: TensorToWrite) => TensorToWrite | null) =>
    tensors.flatMap((tensor) => (tensor.name === NAME ? (change(tensor) ?? []) : tensor));

  test("missing, unexpected, misshapen, mistyped and non-finite tensors are refused by name", async () => {
    const extra = { ...tensors[0]!, name: "model.layers.9.self_attn.q_proj.weight" };
    const bytes = tensors.find(({ name }) => name === NAME)!.data() as Uint8Array;
    const nan = bytes.slice();
    nan.set([0xc0, 0x7f], 1000);
    const infinite = bytes.slice();
    infinite.set([0x80, 0xff], nan.length - 2);
    const bad: [ErrorCode, readonly TensorToWrite[], string][] = [
      ["weights_missing_tensor", replaced(() => null), NAME],
      ["weights_unexpected_tensor", [...tensors, extra], extra.name],
      ["weights_shape_mismatch", replaced((tensor) => ({ ...tensor, shape: [128, 512] })), NAME],
      ["weights_dtype_mismatch", replaced((tensor) => ({ ...tensor, dtype: "I16" })), NAME],
      ["weights_non_finite", replaced((tensor) => ({ ...tensor, data: () => nan })), NAME],
      ["weights_non_finite", replaced((tensor) => ({ ...tensor, data: () => infinite })), NAME],
    ];
    for (const [code, content, name] of bad) {
      const error = await refuses(load({ sets: [await save(content, false)] }), code, new RegExp(name));
      assert.equal(error.details.tensor, name);
    }
    const partial = await save([extra], true);
    await refuses(load({ sets: [partial] }), "weights_unexpected_tensor", /layers\.9/);
  });

  const asDirectory = async (content: readonly TensorToWrite[]): Promise<string> => {
    const path = join(directory, `model-${count++}`);
    cpSync(BASE, path, { recursive: true });
    const [file] = (await save(content, false)).files;
    renameSync(file!, join(path, "model.safetensors"));
    return path;
  };

  test("a tied model refuses a head that is sent, and says why; one in its own file must be the embedding", async () => {
    const embedding = tensors.find(({ name }) => name === "model.embed_tokens.weight")!;
    const head = { ...embedding, name: "lm_head.weight" };
    await refuses(load({ sets: [await save([...tensors, head], false)] }), "weights_unexpected_tensor", /tied/);
    const doubled = await load({ directory: await asDirectory([...tensors, head]) });
    const plain = await load();
    assert.equal(doubled.digest, plain.digest);
    assert.deepEqual(doubled.tensors, plain.tensors);
    for (const each of [doubled, plain]) each.release();
    const other = (embedding.data() as Uint8Array).slice();
    other[0]! ^= 1;
    await refuses(
      load({ directory: await asDirectory([...tensors, { ...head, data: () => other }]) }),
      "weights_unexpected_tensor",
      /model\.safetensors: Tensor lm_head\.weight is not the embedding.*tie_word_embeddings: false/,
    );
  });

  test("what a directory holds is refused with its path, and what to do", async () => {
    const bytes = tensors.find(({ name }) => name === NAME)!.data() as Uint8Array;
    const nan = bytes.slice();
    nan.set([0xc0, 0x7f], 2 * (3 * 128 + 7));
    const bad: [readonly TensorToWrite[], RegExp][] = [
      [replaced(() => null), /^\S*model-\d+: Tensor \S+ is missing\. .*one and the same model\.$/],
      [
        replaced((tensor) => ({ ...tensor, shape: [128, 512] })),
        /model\.safetensors: .* got \[128,512\]\. Take the config\.json/,
      ],
      [
        replaced((tensor) => ({ ...tensor, dtype: "I16" })),
        /model\.safetensors: .* must be F32, F16 or BF16, got I16\. Save/,
      ],
      [
        replaced((tensor) => ({ ...tensor, data: () => nan })),
        /model\.safetensors: .* the first is NaN at \[3,7\] of \[512,128\]\. Only finite/,
      ],
    ];
    for (const [content, pattern] of bad) {
      const error = await load({ directory: await asDirectory(content) }).then(
        () => assert.fail("loaded"),
        (thrown: unknown) => thrown,
      );
      assert.ok(error instanceof GatewayError);
      assert.match(error.message, pattern);
      assert.equal(error.details.tensor, NAME);
    }
    const cut = await asDirectory(tensors);
    truncateSync(join(cut, "model.safetensors"), 1000);
    await refuses(load({ directory: cut }), "weights_truncated", /^\S*model-\d+\/model\.safetensors: /);
    const config = join(cut, "config.json");
    writeFileSync(config, readFileSync(config, "utf8").replace("LlamaForCausalLM", "GemmaForCausalLM"));
    await refuses(load({ directory: cut }), "unsupported", /^\S*model-\d+\/config\.json: architectures /);
  });

  test("defaults of generation_config.json are numbers, or the start says which is none", async () => {
    const path = await asDirectory(tensors);
    const words = (defaults: Record<string, unknown>) => {
      writeFileSync(join(path, "generation_config.json"), JSON.stringify(defaults));
      return openWords(files, path);
    };
    const { defaults } = await words({ temperature: 0.5, top_k: null, eos_token_id: [2, 7] });
    assert.deepEqual([defaults.temperature, defaults.topK], [0.5, undefined]);
    await refuses(
      words({ top_p: "0.9" }),
      "invalid_value",
      /model-\d+: generation_config\.json: top_p must be a number .* got "0\.9"/,
    );
  });

  test("device and context length are checked", async () => {
    await refuses(load({ device: "cuda" }), "unsupported", /--device cuda cannot be had: .*--device auto/);
    await refuses(load({ maxModelLen: 5000 }), "invalid_value", /max_model_len.*1024.*5000/);
  });
});
