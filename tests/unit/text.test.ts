import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { GatewayError } from "../../src/errors.ts";
import { createDetokenizer } from "../../src/text/detokenize.ts";
import { createStopMatcher } from "../../src/text/stop.ts";
import { createTokenizer, type Tokenizer } from "../../src/text/tokenizer.ts";

interface Cases {
  encode: { text: string; ids: number[]; ids_with_special: number[]; decoded: string; decoded_skip_special: string }[];
  decode: { ids: number[]; decoded: string; decoded_skip_special: string }[];
}

const fixture = (name: string): URL => new URL(`../fixtures/tokenizer/${name}`, import.meta.url);
const json = (name: string): unknown => JSON.parse(readFileSync(fixture(name), "utf8"));
const load = (name: string): { tokenizer: Tokenizer; cases: Cases } => ({
  tokenizer: createTokenizer(json(`${name}/tokenizer.json`), {}),
  cases: json(`${name}/cases.json`) as Cases,
});

const streamed = (tokenizer: Tokenizer, ids: readonly number[], skipSpecialTokens = false): string => {
  const detokenizer = createDetokenizer(tokenizer, { skipSpecialTokens });
  return ids.map((id) => detokenizer.push(id)).join("") + detokenizer.flush();
};

const NAMES = ["cased", "digits", "gpt2", "llama3", "qwen", "spm-bpe", "spm-bpe-no-prefix", "unigram", "unigram-bytes"];
for (const name of NAMES) {
  describe(`tokenizer ${name}`, () => {
    const { tokenizer, cases } = load(name);
    test("encodes as the reference", () => {
      for (const row of cases.encode) {
        assert.deepEqual(tokenizer.encode(row.text, false), row.ids, JSON.stringify(row.text));
        assert.deepEqual(tokenizer.encode(row.text, true), row.ids_with_special, JSON.stringify(row.text));
      }
    });
    test("decodes as the reference, broken UTF-8 and unknown ids too", () => {
      for (const row of cases.encode) {
        assert.equal(tokenizer.decode(row.ids_with_special, false), row.decoded);
        assert.equal(tokenizer.decode(row.ids_with_special, true), row.decoded_skip_special);
      }
      for (const row of cases.decode) {
        assert.equal(tokenizer.decode(row.ids, false), row.decoded);
        assert.equal(tokenizer.decode(row.ids, true), row.decoded_skip_special);
      }
    });
    test("streamed pieces joined are the whole", () => {
      for (const row of cases.encode) assert.equal(streamed(tokenizer, row.ids_with_special), row.decoded);
      for (const row of cases.decode) {
        assert.equal(streamed(tokenizer, row.ids), row.decoded);
        assert.equal(streamed(tokenizer, row.ids, true), row.decoded_skip_special);
      }
    });
  });
}

test("other normalisers, pre-tokenizers and added tokens do as the reference", () => {
  interface Variant {
    name: string;
    parts: Record<string, unknown>;
    encode: [text: string, ids: number[], full: number[], decoded: string, skipped: string][];
    decode: [ids: number[], decoded: string, skipped: string][];
  }
  const { variants } = json("variants.json") as { variants: Variant[] };
  const bases = new Map<string, object>();
  for (const { name, parts, encode, decode } of variants) {
    const base = name.split("/")[0] ?? "";
    if (parts.model === undefined && !bases.has(base)) bases.set(base, json(`${base}/tokenizer.json`) as object);
    const tokenizer = createTokenizer({ ...bases.get(base), ...parts }, {});
    for (const [text, ids, full, decoded, skipped] of encode) {
      const what = `${name}: ${JSON.stringify(text)}`;
      assert.deepEqual(tokenizer.encode(text, false), ids, what);
      assert.deepEqual(tokenizer.encode(text, true), full, what);
      assert.equal(tokenizer.decode(full, false), decoded, what);
      assert.equal(tokenizer.decode(full, true), skipped, what);
      assert.equal(streamed(tokenizer, full), decoded, what);
    }
    for (const [ids, decoded, skipped] of decode) {
      assert.equal(tokenizer.decode(ids, false), decoded, name);
      assert.equal(tokenizer.decode(ids, true), skipped, name);
      assert.equal(streamed(tokenizer, ids, true), skipped, name);
    }
  }
});

describe("encoding takes time in proportion to the text", () => {
  // Not measured: each of these would take minutes if it were quadratic.
  for (const name of ["gpt2", "spm-bpe", "unigram-bytes"]) {
    test(name, () => {
      const { tokenizer } = load(name);
      for (const text of ["a".repeat(200_000), " ".repeat(200_000), "the word ".repeat(20_000)]) {
        assert.ok(tokenizer.encode(text, false).length > 0);
      }
    });
  }
});

describe("token bytes", () => {
  test("of a byte-level vocabulary join to the text's own bytes", () => {
    const { tokenizer } = load("gpt2");
    const text = "héllo 漢字 😀\n";
    const bytes = tokenizer.encode(text, false).flatMap((id) => [...tokenizer.tokenBytes(id)]);
    assert.equal(new TextDecoder().decode(Uint8Array.from(bytes)), text);
  });
  test("of a byte-fallback vocabulary: loose bytes and spaces", () => {
    const { tokenizer } = load("spm-bpe");
    const id = tokenizer.tokenId("<0x0A>");
    assert.ok(id !== undefined);
    assert.deepEqual([...tokenizer.tokenBytes(id)], [0x0a]);
    const space = tokenizer.tokenId("▁");
    assert.ok(space !== undefined);
    assert.deepEqual([...tokenizer.tokenBytes(space)], [0x20]);
  });
  test("an unknown id has neither bytes nor text", () => {
    const { tokenizer } = load("gpt2");
    assert.equal(tokenizer.tokenBytes(999_999).length, 0);
    assert.equal(tokenizer.tokenString(999_999), "");
    assert.equal(tokenizer.decode([999_999], false), "");
  });
});

describe("incremental detokenisation", () => {
  test("gives a character out only when it is complete", () => {
    const { tokenizer } = load("gpt2");
    const ids = tokenizer.encode("😀", false);
    assert.ok(ids.length > 1);
    const detokenizer = createDetokenizer(tokenizer, { skipSpecialTokens: true });
    const pieces = ids.map((id) => detokenizer.push(id));
    assert.deepEqual(
      pieces.slice(0, -1),
      pieces.slice(0, -1).map(() => ""),
    );
    assert.equal(pieces.at(-1), "😀");
    assert.equal(detokenizer.flush(), "");
  });
  test("U+FFFD comes when the character can no longer become whole", () => {
    const { tokenizer } = load("gpt2");
    const [first] = tokenizer.encode("😀", false);
    const [letter] = tokenizer.encode("a", false);
    assert.ok(first !== undefined && letter !== undefined);
    const detokenizer = createDetokenizer(tokenizer, { skipSpecialTokens: true });
    assert.equal(detokenizer.push(first), "");
    assert.equal(detokenizer.push(letter), "\ufffda");
    assert.equal(detokenizer.push(first), "");
    assert.equal(detokenizer.flush(), "\ufffd");
  });
  test("goes on where the prompt stopped in the middle of a character", () => {
    const { tokenizer } = load("gpt2");
    const ids = tokenizer.encode("😀", false);
    const detokenizer = createDetokenizer(tokenizer, { skipSpecialTokens: true, promptIds: ids.slice(0, -1) });
    assert.equal(detokenizer.push(ids.at(-1) ?? 0), "😀");
  });
  test("keeps the space of a first word after a prompt", () => {
    const { tokenizer } = load("spm-bpe");
    const ids = tokenizer.encode("return value", false);
    const prompt = ids.slice(0, 1);
    const detokenizer = createDetokenizer(tokenizer, { skipSpecialTokens: true, promptIds: prompt });
    const rest =
      ids
        .slice(1)
        .map((id) => detokenizer.push(id))
        .join("") + detokenizer.flush();
    assert.equal(tokenizer.decode(prompt, true) + rest, "return value");
  });
  test("any text streams to itself", () => {
    const { tokenizer } = load("llama3");
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 40 }), (text) => {
        const ids = tokenizer.encode(text, false);
        assert.equal(streamed(tokenizer, ids), tokenizer.decode(ids, false));
      }),
      { numRuns: 30 },
    );
  });
});

describe("stop strings", () => {
  const run = (pieces: readonly string[], stops: readonly string[], include = false): [string, string | null] => {
    const matcher = createStopMatcher(stops, include);
    let text = "";
    for (const piece of pieces) {
      const result = matcher.push(piece);
      text += result.text;
      if (result.stopped !== null) return [text, result.stopped];
    }
    return [text + matcher.flush(), null];
  };
  test("text after the stop string is dropped, the string itself on request kept", () => {
    assert.deepEqual(run(["one STOP two"], ["STOP"]), ["one ", "STOP"]);
    assert.deepEqual(run(["one STOP two"], ["STOP"], true), ["one STOP", "STOP"]);
  });
  test("holds back only what could become a stop string", () => {
    const matcher = createStopMatcher(["</s>"], false);
    assert.equal(matcher.push("abc<").text, "abc");
    assert.equal(matcher.push("b").text, "<b");
    assert.equal(matcher.push("x</").text, "x");
    assert.equal(matcher.flush(), "</");
  });
  test("how the text was cut does not matter", () => {
    const letter = fc.constantFrom("a", "b", "c");
    const word = fc.string({ unit: letter, minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: letter, maxLength: 4 }), { maxLength: 12 }),
        fc.array(word, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        (pieces, stops, include) => {
          const whole = pieces.join("");
          assert.deepEqual(run(pieces, stops, include), run([...whole], stops, include));
          assert.deepEqual(run(pieces, stops, include), run([whole], stops, include));
        },
      ),
    );
  });
});

test("a tokenizer with an unknown part is refused by name", () => {
  const broken = { ...(json("gpt2/tokenizer.json") as object), normalizer: { type: "Nonsense" } };
  assert.throws(
    () => createTokenizer(broken, {}),
    (error: unknown) => error instanceof GatewayError && error.code === "unsupported" && /Nonsense/.test(error.message),
  );
});
