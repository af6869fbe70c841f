/** The worker's request layer over a batcher that recites: text, stops, logprobs, refusals. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Prompt } from "../../src/contract/generation.ts";
import type { SamplingParams } from "../../src/contract/sampling.ts";
import { BASE, digestOf, tokenizer } from "../support/fake-worker.ts";
import { ask, createRig, finishOf, idsOf, textOf, textPrompt } from "../support/worker-rig.ts";

describe("a generation", () => {
  test("has its events in order, and the text of its tokens", async () => {
    const rig = await createRig();
    const events = await rig.ended(rig.generate(ask()));
    const types = events.map(({ type }) => type);
    assert.deepEqual(types.slice(0, 2), ["start", "prompt"]);
    assert.deepEqual(types.slice(-2), ["finish", "end"]);
    assert.equal(textOf(events), BASE);
    assert.deepEqual(finishOf(events), ["stop", null]);
    assert.deepEqual(events[0], { type: "start", weightVersion: 0, weightDigest: digestOf(BASE) });
    assert.deepEqual(events.at(-1), { type: "end", firstVersion: 0, lastVersion: 0 });
  });
  test("of several prompts and samples says which is which", async () => {
    const rig = await createRig();
    const events = await rig.ended(rig.generate(ask({ temperature: 1, n: 2 }, [textPrompt("a"), textPrompt("b")])));
    const finishes = events.filter((event) => event.type === "finish");
    const places = finishes.map((event) => `${event.prompt}/${event.sample}`).sort();
    assert.deepEqual(places, ["0/0", "0/1", "1/0", "1/1"]);
    assert.equal(events.filter((event) => event.type === "prompt").length, 2);
  });
  test("renders a conversation and says what it rendered", async () => {
    const rig = await createRig();
    const chat: Prompt = {
      kind: "chat",
      messages: [{ role: "user", content: "Hi" }],
      tools: null,
      addGenerationPrompt: true,
      continueFinalMessage: false,
      templateKwargs: {},
      addSpecialTokens: false,
    };
    const events = await rig.ended(rig.generate(ask({}, [chat])));
    const prompt = events[1];
    assert.ok(prompt?.type === "prompt");
    assert.equal(prompt.text, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
    assert.equal(tokenizer.decode(prompt.tokenIds, false), prompt.text);
  });
  test("renders the caller's own template with numbers, tools and documents as they were written", async () => {
    const rig = await createRig();
    const shown =
      '{"messages":[{"role":"user","content":"Hi"}],"tools":[{"n":1.0}],"documents":[],"templateKwargs":{"b":1e2}}';
    const chat: Prompt = {
      kind: "chat",
      ...(JSON.parse(shown) as Pick<Extract<Prompt, { kind: "chat" }>, "messages" | "tools" | "templateKwargs">),
      addGenerationPrompt: false,
      continueFinalMessage: false,
      addSpecialTokens: false,
      chatTemplate: "{{ tools | tojson }} {{ b }} {{ documents }} {{ messages[0].content }}",
    };
    const textFor = async (prompt: Prompt): Promise<string | null | undefined> => {
      const events = await rig.ended(rig.generate(ask({}, [prompt])));
      return events[1]?.type === "prompt" ? events[1].text : undefined;
    };
    assert.equal(await textFor({ ...chat, exact: shown }), '[{"n": 1.0}] 100.0 [] Hi');
    assert.equal(await textFor({ ...chat, documents: [] }), '[{"n": 1}] 100 [] Hi');
  });
  test("ends at a stop string: its tokens stay, its text goes", async () => {
    const rig = await createRig();
    const events = await rig.ended(rig.generate(ask({ stop: ["three"] })));
    assert.equal(textOf(events), "one two ");
    assert.deepEqual(finishOf(events), ["stop", "three"]);
    assert.equal(tokenizer.decode(idsOf(events), false), "one two three");
    assert.equal(rig.batcher().running, 0, "the batcher was told");
    const kept = await rig.ended(rig.generate(ask({ stop: ["three"], includeStopStrInOutput: true })));
    assert.equal(textOf(kept), "one two three");
  });
  test("looks for stop strings only after min_tokens", async () => {
    const rig = await createRig();
    const count = tokenizer.encode("one two", false).length;
    const events = await rig.ended(rig.generate(ask({ stop: ["one"], minTokens: count })));
    assert.equal(textOf(events), BASE);
  });
  test("ends at a stop token whose text is left out", async () => {
    const rig = await createRig();
    const [id] = tokenizer.encode(" three", false);
    assert.ok(id !== undefined);
    const events = await rig.ended(rig.generate(ask({ stopTokenIds: [id] })));
    assert.deepEqual(finishOf(events), ["stop", id]);
    assert.ok(BASE.startsWith(textOf(events)));
    assert.equal(idsOf(events).at(-1), id);
  });
  test("gives out what was held back when it ends for its length", async () => {
    const rig = await createRig();
    const tokens = tokenizer.encode("one two", false).length;
    const events = await rig.ended(rig.generate(ask({ maxTokens: tokens, stop: ["two three four"] })));
    assert.equal(textOf(events), "one two");
    assert.deepEqual(finishOf(events), ["length", null]);
  });
  test("has logprobs with text and bytes, masked ones as they are", async () => {
    const rig = await createRig();
    const events = await rig.ended(rig.generate(ask({ logprobs: 1, maxTokens: 1 })));
    const delta = events.find((event) => event.type === "delta");
    assert.ok(delta?.type === "delta");
    const position = delta.logprobs?.[0];
    assert.ok(position !== undefined);
    assert.equal(new TextDecoder().decode(Uint8Array.from(position.bytes)), position.token);
    // In the message it is null: JSON has no infinity.
    assert.equal(position.top[1]?.logprob, null);
  });
  test("of token ids echoes their text", async () => {
    const rig = await createRig();
    const ids = tokenizer.encode("Hello there", false);
    const events = await rig.ended(rig.generate(ask({ maxTokens: 0 }, [{ kind: "tokens", ids }], true)));
    const prompt = events[1];
    assert.ok(prompt?.type === "prompt");
    assert.equal(prompt.text, "Hello there");
    assert.equal(idsOf(events).length, 1, "one token is made where none was asked for, as vLLM does");
  });
});

describe("a request is refused with vLLM's words", () => {
  const cases: [string, SamplingParams, RegExp][] = [
    [
      "temperature",
      { temperature: 3 },
      /^temperature must be in \[0, 2\], got 3\.0\. \(parameter=temperature, value=3\.0\)$/,
    ],
    ["negative temperature", { temperature: -1 }, /^temperature must be non-negative, got -1\.0\. /],
    ["top_p", { topP: 0 }, /^top_p must be in \(0, 1\], got 0\.0\. \(parameter=top_p, value=0\.0\)$/],
    ["top_k", { topK: -2 }, /^top_k must be 0 \(disable\), or at least 1, got -2\.$/],
    ["min_p", { minP: 2 }, /^min_p must be in \[0, 1\], got 2\.0\./],
    ["n", { n: 0 }, /^n must be at least 1, got 0\.$/],
    ["n greedy", { n: 2 }, /^n must be 1 when using greedy sampling, got 2\.$/],
    ["n without bound", { n: 9, temperature: 1 }, /^n × prompts must be at most 8 here, got 9\.$/],
    ["max_tokens", { maxTokens: 0 }, /^max_tokens must be at least 1, got 0\. \(parameter=max_tokens, value=0\)$/],
    ["min_tokens", { minTokens: 5, maxTokens: 2 }, /^min_tokens must be less than or equal to max_tokens=2, got 5\./],
    [
      "logprobs",
      { logprobs: 201 },
      /^Requested sample logprobs of 201, which is greater than max allowed: 200 \(parameter=logprobs, value=201\)$/,
    ],
    ["penalty", { presencePenalty: 3 }, /^presence_penalty must be in \[-2, 2\], got 3\.0\./],
    ["repetition", { repetitionPenalty: 0 }, /^repetition_penalty must be greater than zero, got 0\.0\./],
    ["stop", { stop: [""] }, /^stop cannot contain an empty string\.$/],
    [
      "allowed ids",
      { allowedTokenIds: [9999] },
      /^allowed_token_ids contains out-of-vocab token id! \(parameter=allowed_token_ids, value=\[9999\]\)$/,
    ],
    ["bias", { logitBias: { 9999: 1 } }, /in logit_bias contain out-of-vocab token ids\. Vocabulary size: 512$/],
  ];
  for (const [name, sampling, message] of cases) {
    test(name, async () => {
      const rig = await createRig();
      const id = rig.generate(ask(sampling));
      assert.match(rig.error(id)?.message ?? "no error", message);
      assert.equal(rig.batcher().idle, true);
    });
  }
  const prompts: [string, Prompt, string, RegExp][] = [
    ["empty text", textPrompt(""), "invalid_value", /^Either prompt or prompt_embeds must be provided and non-empty\./],
    ["no ids", { kind: "tokens", ids: [] }, "invalid_value", /^The decoder prompt cannot be empty$/],
    ["unknown id", { kind: "tokens", ids: [1, 99999] }, "invalid_value", /^Token id 99999 is out of vocabulary$/],
    [
      "too many ids",
      { kind: "tokens", ids: new Array(65).fill(5) },
      "context_length_exceeded",
      /maximum context length is 64 tokens.*contains 65 input tokens/,
    ],
    [
      "a full context",
      { kind: "tokens", ids: new Array(64).fill(5) },
      "context_length_exceeded",
      /^max_tokens must be at least 1, got 0\./,
    ],
    ["too long a text", textPrompt("a b ".repeat(90)), "context_length_exceeded", /contains at least 65 input tokens/],
    [
      "a text beyond any context",
      textPrompt("a".repeat(1e6)),
      "context_length_exceeded",
      /contains at least 65 input tokens/,
    ],
  ];
  for (const [name, prompt, code, message] of prompts) {
    test(`prompt: ${name}`, async () => {
      const rig = await createRig();
      const error = rig.error(rig.generate(ask({}, [prompt])));
      assert.equal(error?.code, code);
      assert.match(error?.message ?? "", message);
    });
  }
  test("no prompt", async () => {
    const rig = await createRig();
    assert.match(rig.error(rig.generate(ask({}, [])))?.message ?? "", /^You must pass at least one prompt$/);
  });
});

test("words: tokenize and detokenize", async () => {
  const rig = await createRig();
  const ids = tokenizer.encode("What is", false);
  assert.deepEqual(await rig.call({ type: "tokenize", prompt: textPrompt("What is") }), {
    tokenIds: ids,
    tokenStrings: ids.map((id) => tokenizer.tokenString(id)),
  });
  assert.deepEqual(await rig.call({ type: "detokenize", tokenIds: [...ids, 999_999] }), { text: "What is" });
  await assert.rejects(rig.call({ type: "detokenize", tokenIds: [2 ** 40] }), { code: "invalid_value" });
  await assert.rejects(rig.call({ type: "detokenize", tokenIds: [-1] }), { code: "invalid_value" });
});
