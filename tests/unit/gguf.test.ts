/** GGUF files: the shipped model converted answers as its directory does; vocabularies; headers that lie. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type ErrorCode, GatewayError } from "../../src/errors.ts";
import { createFiles } from "../../src/platform/shared/files.ts";
import { createTokenizer } from "../../src/text/tokenizer.ts";
import { createBatcher } from "../../src/worker/batch.ts";
import { openGgufConfig } from "../../src/worker/gguf/checkpoint.ts";
import { openGguf } from "../../src/worker/gguf/header.ts";
import { toModelName, toRotaryRow } from "../../src/worker/gguf/tensors.ts";
import { toTokenizerJson } from "../../src/worker/gguf/tokenizer-json.ts";
import { loadModel } from "../../src/worker/load-model.ts";
import { openWords } from "../../src/worker/requests/served-model.ts";
import { runAll, sampling } from "../support/batch.ts";
import { convertLlama, type GgufToWrite, toGgufBytes, toVocabulary, writeGguf } from "../support/write-gguf.ts";

const files = createFiles();
const toPath = (relative: string) => decodeURIComponent(new URL(relative, import.meta.url).pathname);
const BASE = toPath("../../models/tide-nano/base");

let directory = "";
let honest: GgufToWrite;
before(async () => {
  directory = mkdtempSync(join(tmpdir(), "gguf-"));
  honest = await convertLlama(BASE, "F32");
});
after(() => rmSync(directory, { recursive: true }));

const load = (path: string) =>
  loadModel({ files, directory: path, sets: [], device: "auto", maxModelLen: 64, onProgress: () => {} });

const PROMPTS = [[1, 5, 9, 23], [7], Array.from({ length: 30 }, (_, index) => (index * 37) % 500)];

async function answersOf(path: string): Promise<unknown[]> {
  const model = await load(path);
  const { results } = runAll(
    createBatcher(model, { maxConcurrency: 2, maxQueue: 9 }),
    PROMPTS.map((promptIds, key) => ({
      key,
      promptIds,
      samples: 1,
      sampling: sampling({ maxTokens: 12, logprobs: 0 }),
    })),
  );
  model.release();
  return PROMPTS.map((_, key) => {
    const { ids, logprobs } = results.get(`${key}/0`)!;
    return { ids, logprobs: logprobs.map((entry) => entry!.logprob) };
  });
}

describe("a model as a GGUF file", () => {
  for (const type of ["F32", "BF16"] as const) {
    test(`${type}: the very answers of the directory it was made from`, async () => {
      const path = join(directory, `nano.${type}.gguf`);
      await writeGguf(path, await convertLlama(BASE, type));
      assert.deepEqual(await answersOf(path), await answersOf(BASE));
    });
  }

  test("the digest follows the bytes, the manifest has the model's names", async () => {
    const path = join(directory, "nano.Q8_0.gguf");
    await writeGguf(path, await convertLlama(BASE, "Q8_0"));
    const model = await load(path);
    const directoryModel = await load(BASE);
    assert.deepEqual(
      model.tensors.map(({ name, shape }) => ({ name, shape })),
      directoryModel.tensors.map(({ name, shape }) => ({ name, shape })),
    );
    assert.equal(model.tensors.find(({ name }) => name.endsWith("q_proj.weight"))?.dtype, "Q8_0");
    assert.notEqual(model.digest, directoryModel.digest);
    const again = await load(path);
    assert.equal(again.digest, model.digest);
    for (const each of [model, directoryModel, again]) each.release();
  });

  test("words: the same tokens, the same end", async () => {
    const path = join(directory, "words.gguf");
    await writeGguf(path, honest);
    const words = await openWords(files, path);
    const own = await openWords(files, BASE);
    assert.equal(words.eosTokenId, own.eosTokenId);
    for (const text of ["What is 64 + 18?", "<|im_start|>user\nGröße  12345\n\n", "isn't it", " "]) {
      assert.deepEqual(words.tokenizer.encode(text, true), own.tokenizer.encode(text, true), text);
      const ids = own.tokenizer.encode(text, false);
      assert.equal(words.tokenizer.decode(ids, true), own.tokenizer.decode(ids, true));
    }
  });

  test("names and the order of rows", () => {
    assert.equal(toModelName("blk.12.ffn_down.weight"), "model.layers.12.mlp.down_proj.weight");
    assert.equal(toModelName("blk.12.ssm_a.weight"), "blk.12.ssm_a.weight");
    assert.deepEqual(
      Array.from({ length: 8 }, (_, row) => toRotaryRow(row, 4)),
      [0, 2, 1, 3, 4, 6, 5, 7],
    );
  });

  test("rope_freqs divide the frequencies", async () => {
    const path = join(directory, "factors.gguf");
    const factors = Float32Array.from({ length: 16 }, (_, index) => 1 + index);
    const bytes = new Uint8Array(factors.buffer);
    await writeGguf(path, {
      ...honest,
      tensors: [...honest.tensors, { name: "rope_freqs.weight", type: "F32", shape: [16], bytes }],
    });
    const { rope } = await openGgufConfig(files, path);
    assert.deepEqual(rope.scaling, { type: "factors", factors: [...factors] });
    (await load(path)).release();
  });
});

describe("vocabularies", () => {
  for (const [name, pre] of [
    ["gpt2", "gpt-2"],
    ["llama3", "llama-bpe"],
    ["spm-bpe", ""],
  ] as const) {
    test(`${name}: every case of the reference after the way through a file`, () => {
      const read = (file: string) =>
        JSON.parse(readFileSync(new URL(`../fixtures/tokenizer/${name}/${file}`, import.meta.url), "utf8"));
      const values = Object.entries(toVocabulary(read("tokenizer.json"), pre));
      const metadata = new Map(
        values.map(([key, value]) => [key, (value[0] === "array" ? value[2] : value[1]) as never]),
      );
      const { tokenizerJson, tokenizerConfig } = toTokenizerJson({ path: "t.gguf", metadata, tensors: new Map() });
      const tokenizer = createTokenizer(tokenizerJson, tokenizerConfig);
      const { encode } = read("cases.json") as {
        encode: readonly { text: string; ids: number[]; ids_with_special: number[]; decoded: string }[];
      };
      assert.ok(encode.length > 10);
      for (const { text, ids, ids_with_special, decoded } of encode) {
        assert.deepEqual(tokenizer.encode(text, false), ids, JSON.stringify(text));
        assert.deepEqual(tokenizer.encode(text, true), ids_with_special, JSON.stringify(text));
        assert.equal(tokenizer.decode(ids_with_special, false), decoded);
      }
    });
  }
});

describe("headers that lie", () => {
  let count = 0;
  const open = async (bytes: Uint8Array): Promise<void> => {
    const path = join(directory, `bad-${count++}.gguf`);
    writeFileSync(path, bytes);
    const { reader } = await openGguf(files, path);
    await reader.close();
  };
  const refuses = async (work: Promise<unknown>, code: ErrorCode, pattern: RegExp): Promise<void> => {
    const error = await work.then(
      () => null,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof GatewayError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
  };
  const withTensor = (change: Partial<GgufToWrite["tensors"][number]>): GgufToWrite => ({
    ...honest,
    tensors: honest.tensors.map((tensor, index) => (index === 1 ? { ...tensor, ...change } : tensor)),
  });

  test("no GGUF file, another version, too many of anything", async () => {
    await refuses(open(new Uint8Array(10)), "weights_truncated", /10 bytes/);
    await refuses(open(new Uint8Array(100)), "weights_malformed", /no GGUF file/);
    await refuses(open(toGgufBytes({ ...honest, version: 9 })), "weights_malformed", /version 9 .* supported: 2, 3/);
    await refuses(open(toGgufBytes({ ...honest, tensorCount: 1e9 })), "weights_malformed", /1000000000 tensors/);
    await refuses(open(toGgufBytes({ ...honest, valueCount: 1e9 })), "weights_malformed", /1000000000 metadata values/);
  });

  test("a header that says more than it has, or ends too soon", async () => {
    await refuses(open(toGgufBytes({ ...honest, tensorCount: 900 })), "weights_malformed", /./);
    const bytes = toGgufBytes(honest);
    for (const length of [24, 60, 4000, 9000]) {
      await assert.rejects(
        open(bytes.slice(0, length)),
        (error) => error instanceof GatewayError && /weights_/.test(error.code),
      );
    }
    await refuses(
      open(bytes.slice(0, bytes.length - 5000)),
      "weights_truncated",
      /takes bytes \d+ to \d+; the file has \d+/,
    );
  });

  test("a tensor that cannot be where it is said to be, or what", async () => {
    await refuses(open(toGgufBytes(withTensor({ offset: 2 ** 40 }))), "weights_truncated", /the file has \d+/);
    await refuses(open(toGgufBytes(withTensor({ offset: 0 }))), "weights_malformed", /share bytes/);
    await refuses(open(toGgufBytes(withTensor({ offset: 7 }))), "weights_malformed", /lies at 7/);
    await refuses(
      open(toGgufBytes(withTensor({ type: 21 }))),
      "weights_dtype_mismatch",
      /GGML type 21; read are F32, /,
    );
    await refuses(
      open(toGgufBytes(withTensor({ type: "Q4_K", shape: [4, 100] }))),
      "weights_malformed",
      /rows of 100 elements; Q4_K/,
    );
    await refuses(open(toGgufBytes(withTensor({ shape: [2, 2, 2] }))), "weights_malformed", /shape \[2,2,2\]/);
    // Two tensors that are alike trade places: nothing else would show it.
    const [gate, up] = ["blk.0.ffn_gate.weight", "blk.0.ffn_up.weight"].map((name) =>
      honest.tensors.findIndex((tensor) => tensor.name === name),
    );
    const sizes = honest.tensors.map(({ bytes }) => Math.ceil(bytes.length / 32) * 32);
    const begin = (index: number) => sizes.slice(0, index).reduce((sum, size) => sum + size, 0);
    const traded = honest.tensors.map((tensor, index) => ({
      ...tensor,
      offset: begin(index === gate ? up! : index === up ? gate! : index),
    }));
    await refuses(
      open(toGgufBytes({ ...honest, tensors: traded })),
      "weights_malformed",
      /lies at \d+ of the data, \d+ was expected/,
    );
    await refuses(
      open(Uint8Array.from([...toGgufBytes(honest), ...new Uint8Array(64)])),
      "weights_malformed",
      /\d+ bytes follow the last tensor/,
    );
    await refuses(
      open(toGgufBytes(withTensor({ name: honest.tensors[0]!.name }))),
      "weights_duplicate_tensor",
      /twice/,
    );
  });

  test("numbers that do not fit the tensors, an unknown architecture, a vocabulary without merges", async () => {
    const model = async (metadata: GgufToWrite["metadata"]): Promise<unknown> => {
      const path = join(directory, `bad-${count++}.gguf`);
      await writeGguf(path, { ...honest, metadata: { ...honest.metadata, ...metadata } });
      return await Promise.all([load(path), openWords(files, path)]);
    };
    await refuses(
      model({ "general.architecture": ["string", "gemma3"] }),
      "unsupported",
      /"gemma3" .* supported: llama, /,
    );
    await refuses(model({ "llama.feed_forward_length": ["u32", 256] }), "weights_shape_mismatch", /must have shape/);
    await refuses(model({ "llama.block_count": ["u32", 5] }), "weights_missing_tensor", /model\.layers\.4/);
    await refuses(
      model({ "llama.block_count": ["string", "many"] }),
      "invalid_value",
      /block_count must be a whole number/,
    );
    await refuses(
      model({ "llama.attention.head_count": ["u32", 0] }),
      "invalid_value",
      /head_count must be at least 1, got 0/,
    );
    await refuses(
      model({ "llama.attention.head_count": ["u32", 3] }),
      "unsupported",
      /llama\.embedding_length 128 is not supported; it must be a multiple of llama\.attention\.head_count \(3\)/,
    );
    for (const key of ["llama.attention.value_length", "llama.rope.dimension_count"]) {
      await refuses(model({ [key]: ["u32", 16] }), "unsupported", /(value_length|dimension_count) 16 .* must be 32, /);
    }
    for (const name of ["bos", "eos", "eot", "eom"]) {
      const key = `tokenizer.ggml.${name}_token_id`;
      await refuses(model({ [key]: ["u32", 512] }), "invalid_value", /_token_id must be below 512, .* got 512/);
    }
    await refuses(model({ "split.count": ["u32", 3] }), "unsupported", /split\.count 3 .* --merge/);
    await refuses(model({ "llama.rope.freq_base": ["f32", Number.NaN] }), "invalid_value", /finite number, got NaN/);
    for (const value of [
      ["u32", 12],
      ["bool", true],
      ["array", "u32", [32]],
      ["string", "32"],
      ["u32", 0],
    ] as const) {
      await refuses(model({ "general.alignment": value }), "weights_malformed", /general\.alignment must be a /);
    }
    await refuses(model({ "tokenizer.ggml.model": ["string", "t5"] }), "unsupported", /"t5" .* supported: gpt2, llama/);
    await refuses(model({ "tokenizer.ggml.pre": ["string", "odd"] }), "unsupported", /"odd" .* supported: gpt-2/);
    await refuses(
      model({ "tokenizer.ggml.token_type": ["array", "i32", [1, 2]] }),
      "invalid_value",
      /2 entries for 512 tokens/,
    );
  });
});
