/** Cutting a batch's body apart and putting answers together: nothing lost, nothing twice, every number as written. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { BadPart, mergeCompletions, mergeTrl } from "../../src/gateway/batch/merge.ts";
import { openBody, toSlices } from "../../src/gateway/batch/slices.ts";
import { readItems, readMembers } from "../../src/lib/json-spans.ts";

const encode = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function listsOf(body: Uint8Array, ...names: string[]) {
  const members = readMembers(body, { start: 0, end: body.length });
  return names.map((name) => members.get(name) as { start: number; end: number });
}

describe("slices of a batch", () => {
  test("are contiguous, complete, never empty, and differ by one prompt at most", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 64 }), (prompts, shares) => {
        const slices = toSlices(prompts, shares);
        assert.equal(slices.length, Math.min(prompts, shares));
        let at = 0;
        for (const { first, count } of slices) {
          assert.equal(first, at);
          at += count;
        }
        assert.equal(at, prompts);
        const sizes = slices.map(({ count }) => count);
        assert.ok(Math.min(...sizes) >= 1 && Math.max(...sizes) - Math.min(...sizes) <= 1);
        assert.deepEqual(
          sizes,
          [...sizes].sort((a, b) => b - a),
        );
      }),
    );
  });

  test("hold their prompts and every other byte as it was written", () => {
    const item = fc.oneof(fc.string(), fc.array(fc.nat(), { minLength: 1 }));
    const bodies = fc.record({
      before: fc.jsonValue(),
      prompts: fc.array(item, { minLength: 2, maxLength: 40 }),
      after: fc.jsonValue(),
    });
    fc.assert(
      fc.property(
        bodies,
        fc.integer({ min: 1, max: 7 }),
        fc.nat({ max: 2 }),
        ({ before, prompts, after }, shares, spaces) => {
          const images = prompts.map((_, index) => (index % 2 === 0 ? null : [`i${index}`]));
          const body = encode(JSON.stringify({ before, images, prompts, after }, null, spaces));
          const opened = openBody(body, listsOf(body, "prompts", "images"));
          assert.ok(opened !== undefined);
          assert.equal(opened.prompts, prompts.length);
          for (const slice of toSlices(prompts.length, shares)) {
            const end = slice.first + slice.count;
            const expected = {
              before,
              images: images.slice(slice.first, end),
              prompts: prompts.slice(slice.first, end),
              after,
            };
            assert.deepEqual(JSON.parse(decode(opened.take(slice))), JSON.parse(JSON.stringify(expected)));
          }
        },
      ),
    );
    const body = encode('{"temperature": 1.0, "prompt" : [ "a" ,"b", "c" ], "seed": 12345678901234567890}');
    const opened = openBody(body, listsOf(body, "prompt"));
    assert.equal(
      decode(opened?.take({ first: 1, count: 2 }) ?? body),
      '{"temperature": 1.0, "prompt" : ["b", "c"], "seed": 12345678901234567890}',
    );
  });

  test("one prompt as token ids, one text in a list, or lists of unequal length are no batch", () => {
    for (const text of ['{"prompt": [1, 2, 3]}', '{"prompt": ["a"]}', '{"prompt": []}', '{"prompt": [-1, 2]}']) {
      const body = encode(text);
      assert.equal(openBody(body, listsOf(body, "prompt")), undefined, text);
    }
    const body = encode('{"prompts": ["a", "b"], "images": [null]}');
    assert.equal(openBody(body, listsOf(body, "prompts", "images")), undefined);
  });
});

const completion = (choices: readonly unknown[], usage: unknown = null) => ({
  id: "cmpl-a",
  object: "text_completion",
  choices,
  usage,
});

describe("answers put together", () => {
  test("choices keep their bytes but for their place; tokens are summed; the rest is the first one's", () => {
    const one =
      '{"id": "cmpl-a", "choices": [{"text": "x", "index": 0, "logprob": -0.0}, {"index": 1, "p": 1.0}], "usage": {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}}}';
    const two =
      '{"id": "cmpl-b", "choices": [{"index": 1, "v": 1e-3}, {"v": NaN, "index":0}], "usage": {"prompt_tokens": 4, "prompt_tokens_details": null}}';
    const merged = mergeCompletions(
      [
        { slice: { first: 0, count: 2 }, body: encode(one) },
        { slice: { first: 2, count: 2 }, body: encode(two) },
      ],
      1,
    );
    assert.equal(
      decode(merged),
      '{"id": "cmpl-a", "choices": [{"text": "x", "index": 0, "logprob": -0.0},{"index": 1, "p": 1.0},{"v": NaN, "index":2},{"index": 3, "v": 1e-3}], "usage": {"prompt_tokens":7,"prompt_tokens_details":{"cached_tokens":2}}}',
    );
  });

  test("any batch comes back whole, in order, each choice once", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 60 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 5 }),
        (prompts, samples, shares) => {
          const parts = toSlices(prompts, shares).map((slice) => {
            const choices = Array.from({ length: slice.count * samples }, (_, index) => ({
              index,
              text: `${slice.first + Math.floor(index / samples)}/${index % samples}`,
            }));
            const usage = { completion_tokens: choices.length, total_tokens: 2 * choices.length };
            // A server may finish them in any order.
            return { slice, body: encode(completion([...choices].reverse(), usage)) };
          });
          const { choices, usage } = JSON.parse(decode(mergeCompletions(parts, samples))) as {
            choices: { index: number; text: string }[];
            usage: Record<string, number>;
          };
          assert.deepEqual(
            choices.map(({ index }) => index),
            choices.map((_, index) => index),
          );
          assert.deepEqual(
            choices.map(({ text }) => text),
            Array.from(
              { length: prompts * samples },
              (_, index) => `${Math.floor(index / samples)}/${index % samples}`,
            ),
          );
          assert.deepEqual(usage, { completion_tokens: prompts * samples, total_tokens: 2 * prompts * samples });
        },
      ),
    );
  });

  test("a missing, doubled or strange choice is told with its part", () => {
    const good = { slice: { first: 0, count: 1 }, body: encode(completion([{ index: 0 }])) };
    const bad = [
      completion([]),
      completion([{ index: 0 }, { index: 0 }]),
      completion([{ index: 0 }, { index: 7 }]),
      completion([{ index: 0 }, {}]),
      { id: "x" },
      "no json",
    ];
    for (const answer of bad) {
      const parts = [good, { slice: { first: 1, count: 2 }, body: encode(answer) }];
      assert.throws(
        () => mergeCompletions(parts, 1),
        (thrown) => thrown instanceof BadPart && thrown.part === 1,
        JSON.stringify(answer),
      );
    }
  });

  test("TRL's lists, of every release; null stays null", () => {
    const slices = toSlices(3, 2);
    const answer = (first: number, count: number, more: object = {}) => {
      const rows = Array.from({ length: count * 2 }, (_, index) => [first * 2 + index]);
      return { prompt_ids: rows.slice(0, count), completion_ids: rows, ...more };
    };
    const merge = (samples: number | undefined, more: object = {}) => {
      const parts = slices.map((slice) => ({ slice, body: encode(answer(slice.first, slice.count, more)) }));
      return JSON.parse(decode(mergeTrl(parts, samples))) as Record<string, unknown>;
    };
    for (const samples of [2, undefined]) {
      const merged = merge(samples, { logprobs: null });
      assert.deepEqual(merged.completion_ids, [[0], [1], [2], [3], [4], [5]]);
      assert.equal((merged.prompt_ids as unknown[]).length, 3);
      assert.equal(merged.logprobs, null);
    }
    assert.throws(() => merge(3), /instead of/);
    // TRL 0.16 answers nothing but completions.
    const old = slices.map((slice) => ({
      slice,
      body: encode({ completion_ids: answer(slice.first, slice.count).completion_ids }),
    }));
    assert.deepEqual(JSON.parse(decode(mergeTrl(old, undefined))), { completion_ids: [[0], [1], [2], [3], [4], [5]] });
  });
});

describe("places in JSON", () => {
  test("items and members of any document are what JSON.parse finds", () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue()),
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.nat({ max: 3 }),
        (list, object, spaces) => {
          const items = encode(JSON.stringify(list, null, spaces));
          const found = readItems(items, { start: 0, end: items.length }).map(({ start, end }) =>
            JSON.parse(decode(items.subarray(start, end))),
          );
          assert.deepEqual(found, JSON.parse(JSON.stringify(list)));
          const members = encode(JSON.stringify(object, null, spaces));
          const read = [...readMembers(members, { start: 0, end: members.length })].map(([name, { start, end }]) => [
            name,
            JSON.parse(decode(members.subarray(start, end))),
          ]);
          assert.deepEqual(
            new Map(read as [string, unknown][]),
            new Map(Object.entries(JSON.parse(JSON.stringify(object)))),
          );
        },
      ),
    );
  });

  test("what is cut or of another kind is refused", () => {
    for (const text of ["[1, 2", "[1 2]", "{}", "", "[,]", "[1,]"]) {
      const bytes = encode(text);
      assert.throws(() => readItems(bytes, { start: 0, end: bytes.length }), SyntaxError, text);
    }
    for (const text of ['{"a" 1}', "{1: 2}", '{"a": 1', "[]"]) {
      const bytes = encode(text);
      assert.throws(() => readMembers(bytes, { start: 0, end: bytes.length }), SyntaxError, text);
    }
  });
});
