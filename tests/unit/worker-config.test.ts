/** What a `config.json` says in every spelling, what is refused by name, and the rotary tables that follow from it. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ARCHITECTURES as SAID_BY_DOCTOR } from "../../src/cli/doctor-model.ts";
import { type ErrorCode, GatewayError } from "../../src/errors.ts";
import { createFiles } from "../../src/platform/shared/files.ts";
import { ARCHITECTURES } from "../../src/worker/architectures.ts";
import { parseModelConfig } from "../../src/worker/model-config.ts";
import { openModelConfig } from "../../src/worker/open-model-config.ts";
import { toLongestContext, toRotaryTables } from "../../src/worker/rope.ts";
import { parseRope } from "../../src/worker/rope-config.ts";

type Json = Record<string, unknown>;
const readJson = (url: URL): Json => JSON.parse(readFileSync(url, "utf8"));

const base = readJson(new URL("../../models/tide-nano/base/config.json", import.meta.url));
const ALL = /LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM/;

const hasCode = (code: ErrorCode, pattern: RegExp) => (error: unknown) =>
  error instanceof GatewayError && error.code === code && pattern.test(error.message);

describe("refused by name", () => {
  const rope = (type: string, more: Json = {}) => ({ rope_scaling: { rope_type: type, ...more } });
  const qwen = (more: Json) => ({ architectures: ["Qwen2ForCausalLM"], use_sliding_window: true, ...more });
  const cases: [string, Json, ErrorCode, RegExp][] = [
    ["architecture", { architectures: ["GPT2LMHeadModel"] }, "unsupported", /"GPT2LMHeadModel"/],
    ["architecture: says which are", { architectures: ["GemmaForCausalLM"] }, "unsupported", ALL],
    ["inherited name", { architectures: ["toString"] }, "unsupported", ALL],
    ["no architecture", { architectures: undefined }, "unsupported", ALL],
    ["two architectures", { architectures: ["LlamaForCausalLM", "LlamaForCausalLM"] }, "unsupported", ALL],
    ["activation", { hidden_act: "gelu" }, "unsupported", /hidden_act "gelu".*silu/],
    ["rope type", rope("longrope"), "unsupported", /rope_scaling\.rope_type "longrope".*"yarn"/],
    ["rope factor", rope("linear"), "invalid_value", /rope_scaling\.factor.*undefined/],
    ["rope factor of nothing", rope("yarn", { factor: 0 }), "invalid_value", /rope_scaling\.factor.*0/],
    ["llama3 without its ramp", rope("llama3", { factor: 8 }), "invalid_value", /low_freq_factor/],
    ["rope by layer", { rope_parameters: { full_attention: {} } }, "unsupported", /rope_parameters\.full_attention/],
    ["partial rotary", { partial_rotary_factor: 0.5 }, "unsupported", /partial_rotary_factor 0.5/],
    ["quantised", { quantization_config: { quant_method: "awq" } }, "unsupported", /quantization_config/],
    ["window of Llama", { sliding_window: 8 }, "unsupported", /sliding_window 8/],
    ["empty window", { architectures: ["MistralForCausalLM"], sliding_window: 0 }, "invalid_value", /sliding_window/],
    ["unknown layer type", qwen({ layer_types: Array(4).fill("linear_attention") }), "unsupported", /layer_types\[0\]/],
    ["layer types", qwen({ layer_types: ["full_attention"] }), "unsupported", /a list of 4 types/],
    ["zero layers", { num_hidden_layers: 0 }, "invalid_value", /num_hidden_layers must be .* got 0/],
    ["absurd vocabulary", { vocab_size: 1e12 }, "invalid_value", /vocab_size/],
    ["no hidden size", { hidden_size: undefined }, "invalid_value", /hidden_size/],
    ["head groups", { num_key_value_heads: 3 }, "unsupported", /divide/],
    ["odd head", { head_dim: 33 }, "unsupported", /head_dim 33/],
    ["epsilon", { rms_norm_eps: 0 }, "invalid_value", /rms_norm_eps/],
    ["bias", { attention_bias: "yes" }, "invalid_value", /attention_bias must be true or false/],
  ];
  for (const [name, change, code, pattern] of cases) {
    test(`${name}: ${code}`, () => {
      assert.throws(() => parseModelConfig({ ...base, ...change }), hasCode(code, pattern));
    });
  }

  test("a directory without config.json, and one that is not JSON", async () => {
    const directory = mkdtempSync(join(tmpdir(), "worker-config-"));
    try {
      await assert.rejects(openModelConfig(createFiles(), directory), hasCode("not_found", /config\.json/));
      writeFileSync(join(directory, "config.json"), "{");
      await assert.rejects(openModelConfig(createFiles(), directory), hasCode("malformed_json", /config\.json/));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe("what sets architectures apart", () => {
  test("doctor, which may not look into the worker, names the same ones", () => {
    assert.deepEqual(SAID_BY_DOCTOR, Object.keys(ARCHITECTURES));
  });

  const parse = (architecture: string, more: Json = {}) =>
    parseModelConfig({ ...base, architectures: [architecture], ...more });

  test("biases", () => {
    const biases = (architecture: string) => {
      const { qkvBias, outputBias, mlpBias } = parse(architecture, { attention_bias: true, mlp_bias: true });
      return [qkvBias, outputBias, mlpBias];
    };
    assert.deepEqual(biases("LlamaForCausalLM"), [true, true, true]);
    assert.deepEqual(biases("MistralForCausalLM"), [false, false, false]);
    assert.deepEqual(biases("Qwen2ForCausalLM"), [true, false, false]);
    assert.deepEqual(biases("Qwen3ForCausalLM"), [true, true, false]);
    assert.equal(parse("Qwen2ForCausalLM", { attention_bias: false }).qkvBias, true);
  });

  test("norms of query and key heads", () => {
    assert.equal(parse("Qwen3ForCausalLM").queryKeyNorm, true);
    assert.equal(parse("Qwen2ForCausalLM").queryKeyNorm, false);
  });

  test("windows", () => {
    const windows = (architecture: string, more: Json) => parse(architecture, more).windows;
    assert.deepEqual(windows("MistralForCausalLM", { sliding_window: 8 }), [8, 8, 8, 8]);
    assert.deepEqual(windows("MistralForCausalLM", { sliding_window: null }), [null, null, null, null]);
    assert.deepEqual(windows("MistralForCausalLM", {}), [4096, 4096, 4096, 4096]);
    const size = { sliding_window: 16, max_window_layers: 3 };
    assert.deepEqual(windows("Qwen2ForCausalLM", size), [null, null, null, null]);
    assert.deepEqual(windows("Qwen2ForCausalLM", { ...size, use_sliding_window: true }), [null, null, null, 16]);
    const layer_types = ["full_attention", "sliding_attention", "sliding_attention", "full_attention"];
    const named = { ...size, use_sliding_window: true, layer_types };
    assert.deepEqual(windows("Qwen3ForCausalLM", named), [null, 16, 16, null]);
  });

  test("defaults of fields left out", () => {
    const bare = { num_key_value_heads: undefined, head_dim: undefined, max_position_embeddings: undefined };
    const sizes = (architecture: string) => {
      const { kvHeads, headDim, maxPositions } = parse(architecture, { ...bare, num_attention_heads: 32 });
      return [kvHeads, headDim, maxPositions];
    };
    assert.deepEqual(sizes("LlamaForCausalLM"), [32, 4, 2048]);
    assert.deepEqual(sizes("MistralForCausalLM"), [8, 4, 131_072]);
    assert.deepEqual(sizes("Qwen2ForCausalLM"), [32, 4, 32_768]);
    assert.deepEqual(sizes("Qwen3ForCausalLM"), [32, 128, 32_768]);
    assert.equal(parse("MistralForCausalLM", { num_key_value_heads: null }).kvHeads, 4);
    assert.equal(parse("LlamaForCausalLM", { head_dim: 40 }).kernelHeadDim, 48);
  });
});

describe("both spellings", () => {
  test("of the rotary base", () => {
    const { rope_theta: _theta, rope_scaling: _scaling, ...rest } = base;
    const parsed = parseModelConfig({ ...rest, rope_parameters: { rope_type: "default", rope_theta: 5e5 } });
    assert.deepEqual(parsed.rope, { theta: 5e5, scaling: { type: "default" } });
    assert.equal(parseModelConfig({ ...base, rope_theta: 777 }).rope.theta, 777);
    assert.equal(parseModelConfig(rest).rope.theta, 10_000);
  });

  test("of the type of scaling", () => {
    const want = { theta: 10_000, scaling: { type: "linear", factor: 2 } };
    assert.deepEqual(parseRope({ rope_scaling: { type: "linear", factor: 2 } }, 512), want);
    assert.deepEqual(parseRope({ rope_scaling: { rope_type: "linear", factor: 2 } }, 512), want);
  });

  const MORE = new URL("../../../shared/fixtures/reference/forward/", import.meta.url);
  const COMMITTED = new URL("../fixtures/forward/", import.meta.url);
  for (const [name, root] of [
    ["llama-gqa-untied", COMMITTED],
    ["qwen3-tied-bf16", COMMITTED],
    ["mistral-window", COMMITTED],
    ["llama-rope-linear", MORE],
    ["llama-rope-llama3", MORE],
    ["qwen2-tied", MORE],
    ["qwen2-yarn", MORE],
  ] as const) {
    const directory = new URL(`${name}/`, root);
    const skip = existsSync(directory) ? false : `${name} is not on this machine`;
    test(`${name}: transformers 4 and 5 write the same model`, { skip }, () => {
      const older = parseModelConfig(readJson(new URL("checkpoint/config.json", directory)));
      assert.deepEqual(parseModelConfig(readJson(new URL("config.transformers-5.json", directory))), older);
    });
  }
});

interface RopeCase {
  readonly name: string;
  readonly rope_parameters: Json;
  readonly head_dim: number;
  readonly max_position_embeddings: number;
  readonly context: number | null;
  readonly frequencies: readonly number[];
  readonly attention_factor: number;
}

describe("rotary tables against transformers (tests/fixtures/rope)", () => {
  const { cases } = readJson(new URL("../fixtures/rope/cases.json", import.meta.url)) as unknown as {
    cases: readonly RopeCase[];
  };
  for (const item of cases) {
    test(item.name, () => {
      const { head_dim: headDim, max_position_embeddings: maxPositions, frequencies, attention_factor: factor } = item;
      const rope = parseRope({ rope_parameters: item.rope_parameters }, maxPositions);
      const positions = item.context ?? maxPositions;
      const { cos, sin } = toRotaryTables(rope, { headDim, positions, maxPositions });
      assert.equal(frequencies.length, headDim / 2);
      for (const [dimension, frequency] of frequencies.entries()) {
        // The reference's frequencies are float32: at position 7 they are off by no more than this.
        const at = 7 * frequencies.length + dimension;
        assert.ok(Math.abs(cos[at]! - factor * Math.cos(7 * frequency)) < 2e-6, `cos of dimension ${dimension}`);
        assert.ok(Math.abs(sin[at]! - factor * Math.sin(7 * frequency)) < 2e-6, `sin of dimension ${dimension}`);
      }
    });
  }

  test("columns beyond the head's are angle 0", () => {
    const rope = parseRope({}, 16);
    const { cos, sin } = toRotaryTables(rope, { headDim: 4, positions: 3, maxPositions: 16, columns: 8 });
    assert.deepEqual([...cos.slice(18, 24)], [1, 1, 1, 1, 1, 1]);
    assert.deepEqual([...sin.slice(18, 24)], [0, 0, 0, 0, 0, 0]);
  });

  test("linear and dynamic scaling may be asked for a longer context, the others say their own", () => {
    const longest = (rope_type: string) =>
      toLongestContext(parseRope({ rope_scaling: { rope_type, factor: 2.5 } }, 100), 100);
    assert.deepEqual(["linear", "dynamic", "yarn"].map(longest), [250, 250, 100]);
  });
});
