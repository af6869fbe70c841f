/** Saving a changed model: every form of checkpoint, every refusal, and that the source and the disk stay clean. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setupChatFormat } from "../../src/checkpoint/chat-format.ts";
import { openPretrained } from "../../src/checkpoint/pretrained.ts";
import { savePretrained } from "../../src/checkpoint/save.ts";
import { GatewayError } from "../../src/errors.ts";
import { createFiles } from "../../src/platform/shared/files.ts";
import type { DirectoryFiles } from "../../src/ports.ts";
import { widen } from "../../src/tensor/half.ts";
import { openWeights } from "../../src/tensor/weights.ts";
import {
  TINY_CONFIG,
  TINY_TOKENIZER,
  TINY_WEIGHTS,
  type TinyCheckpoint,
  writeTinyCheckpoint,
} from "../support/tiny-checkpoint.ts";

const files = createFiles();
const random = { uuid: () => crypto.randomUUID() };
let root = "";
let count = 0;

before(async () => {
  root = await mkdtemp(join(tmpdir(), "tidegate-save-"));
});
after(() => rm(root, { recursive: true, force: true }));

/** A place of its own with a source in it. */
async function place(options: TinyCheckpoint = {}): Promise<{ folder: string; source: string; out: string }> {
  count += 1;
  const folder = join(root, String(count));
  await writeTinyCheckpoint(join(folder, "source"), options);
  return { folder, source: join(folder, "source"), out: join(folder, "out") };
}

async function convert(
  source: string,
  out: string,
  resizeToMultipleOf: number | null = 16,
  port: DirectoryFiles = files,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const opened = await openPretrained(port, source);
  const [model, tokenizer] = setupChatFormat(opened.model, opened.tokenizer, { resizeToMultipleOf });
  return (await savePretrained(model, tokenizer, out, { random, ...(signal === undefined ? {} : { signal }) })).files;
}

const json = async (path: string): Promise<Record<string, unknown>> => JSON.parse(await readFile(path, "utf8"));

/** Every file of a directory as one hash. */
async function fingerprint(directory: string): Promise<string> {
  const hash = createHash("sha256");
  for (const name of (await readdir(directory)).sort()) hash.update(name).update(await readFile(join(directory, name)));
  return hash.digest("hex");
}

async function refused(action: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  await assert.rejects(action, (error: unknown) => {
    assert.ok(error instanceof GatewayError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

async function rowsOf(directory: string, name: string): Promise<Float32Array> {
  const weights = await openWeights(files, directory);
  const { dtype } = weights.tensors.get(name)!;
  const values = widen(dtype as "F32", await weights.read(name));
  await weights.close();
  return values;
}

describe("forms of checkpoints", () => {
  const SHARDS = {
    "model-00001-of-00003.safetensors": { "model.embed_tokens.weight": { dtype: "F16", shape: [10, 4] } },
    "model-00002-of-00003.safetensors": { "model.layers.0.up.weight": { dtype: "F16", shape: [3, 4] } },
    "model-00003-of-00003.safetensors": {
      "lm_head.weight": { dtype: "F16", shape: [10, 4] },
      "lm_head.bias": { dtype: "F16", shape: [10] },
    },
  } as const satisfies TinyCheckpoint["weights"];

  test("shards: the untouched one is copied, the sums of the index follow", async () => {
    const { source, out } = await place({ weights: SHARDS });
    await convert(source, out);
    const middle = "model-00002-of-00003.safetensors";
    assert.deepEqual(await readFile(join(out, middle)), await readFile(join(source, middle)));
    const index = await json(join(out, "model.safetensors.index.json"));
    assert.deepEqual(index.weight_map, (await json(join(source, "model.safetensors.index.json"))).weight_map);
    assert.deepEqual(index.metadata, { total_size: 2 * (16 * 4 + 3 * 4 + 16 * 4 + 16) });
    const weights = await openWeights(files, out);
    assert.deepEqual(weights.tensors.get("lm_head.bias")?.shape, [16]);
    await weights.close();
    const bias = await rowsOf(out, "lm_head.bias");
    const mean = bias.subarray(0, 10).reduce((sum, value) => sum + value, 0) / 10;
    // Half precision near 0.05 has steps of 3e-5.
    for (const value of bias.subarray(10)) assert.ok(Math.abs(value - mean) < 5e-5, `${value} is not ${mean}`);
  });

  for (const [what, weights, config] of [
    ["drawn separately when untied", TINY_WEIGHTS, { tie_word_embeddings: false }],
    ["alike when tied and stored twice", TINY_WEIGHTS, { tie_word_embeddings: true }],
  ] as const) {
    test(`embedding and head are ${what}`, async () => {
      const values = Array.from({ length: 40 }, (_, index) => Math.cos(index));
      const own = {
        ...weights["model.safetensors"],
        "model.embed_tokens.weight": { shape: [10, 4], values },
        "lm_head.weight": { shape: [10, 4], values },
      };
      const { source, out } = await place({
        weights: { "model.safetensors": own },
        config: { ...TINY_CONFIG, ...config },
      });
      await convert(source, out);
      const [embedding, head] = [await rowsOf(out, "model.embed_tokens.weight"), await rowsOf(out, "lm_head.weight")];
      assert.deepEqual(embedding.subarray(0, 40), head.subarray(0, 40));
      if (config.tie_word_embeddings) assert.deepEqual(embedding, head);
      else assert.notDeepEqual(embedding, head);
      assert.deepEqual(await rowsOf(out, "model.norm.weight"), await rowsOf(source, "model.norm.weight"));
    });
  }

  test("as many rows as before: no weight file changes", async () => {
    const { source, out } = await place({ weights: TINY_WEIGHTS, config: TINY_CONFIG, tokenizer: tokenizerOf(8) });
    await convert(source, out, null);
    const name = "model.safetensors";
    assert.deepEqual(await readFile(join(out, name)), await readFile(join(source, name)));
  });

  test("the form of transformers 5: a template file, one list of further tokens", async () => {
    const config = { ...TINY_CONFIG, transformers_version: "5.18.0" };
    const { source, out } = await place({ config, tokenizerConfig: { extra_special_tokens: ["<x>"] } });
    const written = await convert(source, out);
    assert.ok(written.includes("chat_template.jinja"));
    assert.match(await readFile(join(out, "chat_template.jinja"), "utf8"), /^\{% for message/);
    const tokenizerConfig = await json(join(out, "tokenizer_config.json"));
    assert.deepEqual(tokenizerConfig.extra_special_tokens, ["<|im_start|>", "<|im_end|>"]);
    assert.equal(tokenizerConfig.chat_template, undefined);
    assert.equal(tokenizerConfig.added_tokens_decoder, undefined);
    // <x> was named by tokenizer_config.json only: transformers gives it the first free id when it loads.
    const added = (await json(join(out, "tokenizer.json"))).added_tokens as { id: number; content: string }[];
    assert.deepEqual(
      added.map(({ id, content }) => [id, content]),
      [
        [10, "<x>"],
        [11, "<|im_start|>"],
        [12, "<|im_end|>"],
      ],
    );
  });

  test("a multimodal configuration is changed inside, and numbers keep their text", async () => {
    const { source, out } = await place();
    const text =
      '{"model_type": "qwen2_vl", "eps": 1e-05, "text_config": {"vocab_size": 10, "theta": 10000.0, "tie_word_embeddings": false}}';
    await writeFile(join(source, "config.json"), text);
    await convert(source, out);
    const written = await readFile(join(out, "config.json"), "utf8");
    assert.match(
      written,
      /"eps": 1e-05, "text_config": \{"vocab_size": 16, "theta": 10000\.0, "tie_word_embeddings": false\}/,
    );
    assert.equal(JSON.parse(written).eos_token_id, 11);
  });

  test("ids with gaps: no row that has a token is cut off", async () => {
    const tokenizer = { ...TINY_TOKENIZER, model: { ...TINY_TOKENIZER.model, vocab: { a: 0, b: 9 } } };
    const { source, out } = await place({ tokenizer });
    await convert(source, out, null);
    assert.equal((await json(join(out, "config.json"))).vocab_size, 10);
  });

  test("other files come along; other forms of the weights and hidden files do not", async () => {
    const texts = { "README.md": "read", "vocab.json": "{}", "pytorch_model.bin": "old rows", ".gitattributes": "x" };
    const { source, out } = await place({ texts });
    const names = ["README.md", "config.json", "generation_config.json", "model.safetensors"];
    assert.deepEqual(await convert(source, out), [...names, "tokenizer.json", "tokenizer_config.json", "vocab.json"]);
  });

  test("the same seed gives the same bytes, another seed others", async () => {
    const { source, folder } = await place();
    const { model, tokenizer } = await openPretrained(files, source);
    const write = async (seed: number, name: string): Promise<string> => {
      const [changed, words] = setupChatFormat(model, tokenizer, { resizeToMultipleOf: 16, seed });
      await savePretrained(changed, words, join(folder, name), { random });
      return fingerprint(join(folder, name));
    };
    const first = await write(7, "a");
    assert.equal(await write(7, "b"), first);
    assert.notEqual(await write(-7, "c"), first);
  });
});

/** A tokenizer with the first `letters` letters. */
function tokenizerOf(letters: number): TinyCheckpoint["tokenizer"] & object {
  const vocab = Object.fromEntries([..."abcdefghij"].slice(0, letters).map((letter, id) => [letter, id]));
  return { ...TINY_TOKENIZER, model: { ...TINY_TOKENIZER.model, vocab } };
}

describe("refused, and nothing is changed", () => {
  async function unchanged(source: string, folder: string, action: () => Promise<void>): Promise<void> {
    const [before, entries] = [await fingerprint(source), await readdir(folder)];
    await action();
    assert.equal(await fingerprint(source), before);
    assert.deepEqual(await readdir(folder), entries);
  }

  test("a template that is there, before an unknown format", async () => {
    const { source } = await place({ tokenizerConfig: { chat_template: "{{ 1 }}" } });
    const { model, tokenizer } = await openPretrained(files, source);
    const unknown = { format: "unknown" as "chatml" };
    const message =
      /^Chat template is already added to the tokenizer\. If you want to overwrite it, please set it to null/;
    assert.throws(() => setupChatFormat(model, tokenizer, unknown), { code: "conflict", message });
    assert.throws(() => setupChatFormat(model, { ...tokenizer, chatTemplate: null }, unknown), {
      code: "invalid_value",
      message: 'format must be one of "chatml", got "unknown".',
    });
  });

  for (const format of ["ChatML", "", null]) {
    test(`the format ${JSON.stringify(format)}`, async () => {
      const { model, tokenizer } = await openPretrained(files, (await place()).source);
      assert.throws(() => setupChatFormat(model, tokenizer, { format: format as "chatml" }), { code: "invalid_value" });
    });
  }

  for (const multiple of [0, -64, 64.5, "64", Number.NaN, 1e9]) {
    test(`a multiple of ${JSON.stringify(multiple)}`, async () => {
      const { model, tokenizer } = await openPretrained(files, (await place()).source);
      assert.throws(() => setupChatFormat(model, tokenizer, { resizeToMultipleOf: multiple as number }), {
        code: "invalid_value",
        message: /^resize_to_multiple_of must be an integer from 1 to 65536/,
      });
    });
  }

  test("an output that is there, is the source, or lies in it; through a link too", async () => {
    const { source, folder } = await place();
    await mkdir(join(folder, "taken"));
    await symlink(source, join(folder, "link"));
    await unchanged(source, folder, async () => {
      await refused(convert(source, join(folder, "taken")), "conflict", /exists already/);
      await refused(convert(source, source), "invalid_value", /outside of the model directory/);
      await refused(convert(source, join(source, "deep/er")), "invalid_value", /outside of the model directory/);
      await refused(convert(source, join(folder, "link/new")), "invalid_value", /outside of the model directory/);
      await refused(convert(source, join(source, "config.json/new")), "invalid_value", /output/);
    });
  });

  for (const [what, options, code, message] of [
    [
      "configuration and embedding disagree",
      { config: { ...TINY_CONFIG, vocab_size: 12 } },
      "weights_shape_mismatch",
      /embed_tokens\.weight is \[10,4\]; .* 12 rows/,
    ],
    ["an encoder-decoder", { config: { ...TINY_CONFIG, is_encoder_decoder: true } }, "unsupported", /encoder-decoder/],
    [
      "a state-space model",
      { config: { ...TINY_CONFIG, model_type: "mamba", architectures: ["MambaForCausalLM"] } },
      "unsupported",
      /model_type "mamba" \(architectures \["MambaForCausalLM"\]\).*Supported: .*llama/,
    ],
    [
      "a configuration that is another architecture's",
      { config: { ...TINY_CONFIG, model_type: "gpt2" } },
      "unsupported",
      /wte\.weight; these weights have model\.embed_tokens\.weight/,
    ],
    [
      "no embedding that is known",
      { weights: { "model.safetensors": { "words.weight": { shape: [10, 4] } } } },
      "unsupported",
      /found none/,
    ],
    [
      "an untied head that is not stored",
      { weights: { "model.safetensors": { "model.embed_tokens.weight": { shape: [10, 4] } } } },
      "weights_missing_tensor",
      /lm_head/,
    ],
    [
      "an embedding in eight bits",
      { weights: { "model.safetensors": { "model.embed_tokens.weight": { dtype: "F8_E4M3", shape: [10, 4] } } } },
      "unsupported",
      /F8_E4M3/,
    ],
    [
      "another tensor by token",
      {
        weights: {
          "model.safetensors": { ...TINY_WEIGHTS["model.safetensors"], "model.per_token.weight": { shape: [10, 2] } },
        },
      },
      "unsupported",
      /per_token/,
    ],
  ] as const satisfies readonly (readonly [string, TinyCheckpoint, string, RegExp])[]) {
    test(what, async () => {
      const { source, folder, out } = await place(options);
      await unchanged(source, folder, () => refused(convert(source, out), code, message));
    });
  }

  test("a missing shard", async () => {
    const weights = {
      "a.safetensors": { "wte.weight": { shape: [10, 4] } },
      "b.safetensors": { "lm_head.weight": { shape: [10, 4] } },
    };
    const { source, folder, out } = await place({ weights });
    await rm(join(source, "b.safetensors"));
    await unchanged(source, folder, () =>
      refused(convert(source, out), "source_unreadable", /b\.safetensors is named/),
    );
  });

  for (const [code, expected] of [
    ["ENOSPC", "limit_exceeded"],
    ["EIO", "invalid_value"],
  ] as const) {
    test(`${code} at any write leaves nothing`, async () => {
      const { source, folder, out } = await place();
      await unchanged(source, folder, async () => {
        // Four texts, the header, two matrices in two pieces, two tensors as they were.
        for (let left = 0; left < 11; left += 1) {
          await refused(
            convert(source, out, 16, failing(left, code)),
            expected,
            code === "ENOSPC" ? /disk is full/ : /cannot be written/,
          );
        }
      });
    });
  }

  test("an abort in the middle leaves nothing", async () => {
    const { source, folder, out } = await place();
    await unchanged(source, folder, async () => {
      const stop = new AbortController();
      const port = { ...files, copy: async () => stop.abort(new GatewayError("client_closed", "gone")) };
      await writeFile(join(source, "vocab.txt"), "x");
      await refused(convert(source, out, 16, port, stop.signal), "client_closed", /gone/);
      await rm(join(source, "vocab.txt"));
    });
  });

  test("what a killed writer left is cleared once it is old", async () => {
    const { source, folder, out } = await place();
    for (const [name, ageSeconds] of [
      ["old", 3600],
      ["young", 60],
    ] as const) {
      await mkdir(join(folder, `.out.partial-${name}`));
      const then = Date.now() / 1000 - ageSeconds;
      await utimes(join(folder, `.out.partial-${name}`), then, then);
    }
    await convert(source, out);
    assert.deepEqual((await readdir(folder)).sort(), [".out.partial-young", "out", "source"]);
  });
});

/** A disk that fails at the write (of any file) with this number, counted from 0. */
function failing(at: number, code: string): DirectoryFiles {
  let left = at;
  return {
    ...files,
    async openWrite(path) {
      const writer = await files.openWrite(path);
      return {
        ...writer,
        async write(bytes) {
          if (left === 0) throw Object.assign(new Error(`${code}: no, write`), { code });
          left -= 1;
          await writer.write(bytes);
        },
      };
    },
  };
}
