/** Where tokens come from, and which of them the assistant said: equal to tokenizers 0.23.3 and transformers 5.23.0. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { GatewayError } from "../../src/errors.ts";
import {
  type ApplyChatTemplateOptions,
  applyChatTemplate,
  decodeIds,
  encodeText,
  type PretrainedTokenizer,
} from "../../src/index.ts";
import { toAssistantMask } from "../../src/text/assistant-mask.ts";
import { createTokenizer } from "../../src/text/tokenizer.ts";

type Json = Record<string, unknown>;
const json = (name: string): Json =>
  JSON.parse(readFileSync(new URL(`../fixtures/tokenizer/${name}`, import.meta.url), "utf8")) as Json;

const bases = new Map<string, Json>();
function base(name: string): Json {
  const known = bases.get(name) ?? json(`${name}/tokenizer.json`);
  bases.set(name, known);
  return known;
}

interface Offsets {
  tokenizers: { name: string; parts: Json; rows: [text: string, plain: number[][], special?: number[][]][] }[];
}

describe("offsets", () => {
  for (const { name, parts, rows } of (json("offsets.json") as unknown as Offsets).tokenizers) {
    test(name, () => {
      const tokenizer = createTokenizer({ ...base(name.split("/")[0] ?? ""), ...parts }, {});
      for (const [text, plain, special] of rows) {
        const encoded = tokenizer.encodeWithOffsets(text, false);
        assert.deepEqual(encoded.offsets, plain, JSON.stringify(text));
        assert.deepEqual(encoded.ids, tokenizer.encode(text, false));
        const whole = tokenizer.encodeWithOffsets(text, true);
        assert.deepEqual(whole.ids, tokenizer.encode(text, true));
        if (special !== undefined) assert.deepEqual(whole.offsets, special, JSON.stringify(text));
      }
    });
  }

  test("any text: the ids of `encode`, and places within the text", () => {
    for (const name of ["gpt2", "spm-bpe", "unigram"]) {
      const tokenizer = createTokenizer(base(name), {});
      fc.assert(
        fc.property(fc.string({ unit: "binary", maxLength: 40 }), (text) => {
          const { ids, offsets } = tokenizer.encodeWithOffsets(text, true);
          assert.deepEqual(ids, tokenizer.encode(text, true));
          assert.equal(offsets.length, ids.length);
          const points = Array.from(text).length;
          for (const [start, end] of offsets) assert.ok(start >= 0 && start <= end && end <= points);
        }),
        { numRuns: 40 },
      );
    }
  });
});

const tokenizers = new Map<string, PretrainedTokenizer>();
/** A tokenizer value as `openCheckpoint` gives it, as far as words need it. */
function open(name: string, chatTemplate: PretrainedTokenizer["chatTemplate"], config: Json = {}): PretrainedTokenizer {
  const known = tokenizers.get(name) ?? {
    json: { text: "", value: base(name) },
    config: { text: "", value: config },
  };
  tokenizers.set(name, known as PretrainedTokenizer);
  return { ...known, chatTemplate } as PretrainedTokenizer;
}

interface Masks {
  bos: Record<string, string>;
  templates: Record<string, string>;
  cases: { tokenizer: string; template: string; messages: [string, string][]; ids: number[]; mask: string }[];
}

describe("applyChatTemplate", () => {
  const { bos, templates, cases } = json("masks.json") as unknown as Masks;

  test(`${cases.length} conversations: ids and assistant masks of transformers`, () => {
    for (const { tokenizer: name, template, messages, ids, mask } of cases) {
      const config = bos[name] === undefined ? {} : { bos_token: bos[name] };
      const tokenizer = open(name, templates[template] ?? "", config);
      const conversation = messages.map(([role, content]) => ({ role, content }));
      const result = applyChatTemplate(tokenizer, conversation, { returnAssistantTokensMask: true });
      const what = `${name} ${template} ${JSON.stringify(messages)}`;
      assert.deepEqual(result.inputIds, ids, what);
      assert.equal(result.assistantMasks?.join(""), mask, what);
      const plain = applyChatTemplate(tokenizer, conversation);
      assert.deepEqual(plain, { text: result.text, inputIds: ids, assistantMasks: null });
    }
  });

  const messages = [{ role: "user", content: "hi" }];
  const apply = (options: ApplyChatTemplateOptions, template: PretrainedTokenizer["chatTemplate"]) =>
    applyChatTemplate(open("gpt2", template), messages, options).text;

  test("tools, documents, prompt, further variables, and templates by name", () => {
    const set = [
      { name: "default", template: "plain" },
      {
        name: "tool_use",
        template: "{{ tools | length }}{{ documents[0].title }}{{ add_generation_prompt }}{{ extra }}",
      },
    ];
    const options = { tools: [{}], documents: [{ title: "T", text: "" }], addGenerationPrompt: true };
    assert.equal(apply({ ...options, chatTemplateKwargs: { extra: 1 } }, set), "1TTrue1");
    assert.equal(apply({}, set), "plain");
    assert.equal(apply({ chatTemplate: "tool_use", documents: [{ title: "T" }] }, "own"), "tool_use");
    assert.equal(apply({ now: new Date(2026, 0, 2) }, "{{ strftime_now('%d %b %Y') }}"), "02 Jan 2026");
  });

  test("refusals: no template, continuation with a mask, a template's own words, one that does not end", () => {
    const refuses = (template: string | null, options: ApplyChatTemplateOptions, expected: RegExp): void => {
      assert.throws(
        () => apply(options, template),
        (error: unknown) => error instanceof GatewayError && expected.test(error.message),
      );
    };
    refuses(null, {}, /default chat template is no longer allowed/);
    refuses("{{ messages }}", { continueFinalMessage: true, returnAssistantTokensMask: true }, /not compatible/);
    refuses("{{ raise_exception('no!') }}", {}, /^no!$/);
    refuses("{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}", {}, /was stopped/);
  });

  test("encodeText and decodeIds: there and back, with places", () => {
    const tokenizer = open("spm-bpe", null);
    const { ids, offsets } = encodeText(tokenizer, "def é");
    assert.deepEqual(offsets[0], [0, 0]);
    assert.deepEqual(offsets.at(-1)?.[1], 5);
    assert.equal(decodeIds(tokenizer, ids, { skipSpecialTokens: true }), "def é");
    assert.equal(encodeText(tokenizer, "def é", { addSpecialTokens: false }).ids.length, ids.length - 1);
    assert.throws(() => decodeIds(tokenizer, [1, -1]), /ids must be whole numbers from 0, got -1/);
  });
});

describe("toAssistantMask", () => {
  test("as the original where a span has no token of its own", () => {
    const offsets = [
      [0, 1],
      [1, 3],
      [5, 6],
    ] as const;
    assert.equal(toAssistantMask(offsets, [[1, 3]]).join(""), "010");
    assert.equal(toAssistantMask(offsets, [[4, 6]]).join(""), "000");
    assert.equal(toAssistantMask(offsets, [[1, 5]]).join(""), "011");
    assert.equal(toAssistantMask(offsets, [[0, 1]]).join(""), "111");
  });
});
