/** GGUF files, rounding at load and servers without a tokenizer, as a stranger meets them: flags, answers, exit codes. */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { convertLlama, writeGguf } from "../support/write-gguf.ts";
import { cli, modelPath, type Served, serve } from "./serve.ts";

let directory = "";
let file = "";
before(async () => {
  directory = mkdtempSync(join(tmpdir(), "gguf-system-"));
  file = join(directory, "nano.Q4_1.gguf");
  await writeGguf(file, await convertLlama(modelPath("trained"), "Q4_1"));
});
after(() => rmSync(directory, { recursive: true }));

const post = async (served: Served, path: string, body: unknown, headers: Record<string, string> = {}) => {
  const response = await fetch(`${served.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
};
const detailsOf = async (served: Served): Promise<Record<string, unknown>> => {
  const fleet = (await (await fetch(`${served.url}/api/fleet`)).json()) as { servers: { details: never }[] };
  return fleet.servers[0]!.details;
};
const QUESTION = { messages: [{ role: "user", content: "What is 64 + 18?" }], temperature: 0, max_tokens: 8 };

describe("a GGUF file", () => {
  test("is served by its own words, in float32, and takes a sync of plain weights", async () => {
    const served = await serve(["--model", file]);
    try {
      const answer = await post(served, "/v1/chat/completions", { ...QUESTION, stream: true });
      assert.equal(answer.status, 200, answer.text);
      assert.match(answer.text, /data: \[DONE\]/);
      assert.match(answer.text, /"model":"nano\.Q4_1"/);
      assert.equal((await detailsOf(served)).weight_format, "fp32");
      const before = answer.headers.get("x-weight-digest");
      const source = { kind: "disk", path: modelPath("base") };
      const synced = await post(served, "/api/weight-syncs", { source }, { prefer: "wait=60" });
      assert.equal(synced.status, 200, synced.text);
      const next = await post(served, "/v1/chat/completions", QUESTION);
      assert.equal(next.headers.get("x-weight-version"), "1");
      assert.notEqual(next.headers.get("x-weight-digest"), before);
    } finally {
      await served.stop();
    }
  });

  test("keeps its blocks with --quantize keep, and scores with them", async () => {
    const served = await serve(["--model", file, "--quantize", "keep"]);
    try {
      assert.match(String((await detailsOf(served)).weight_format), /^int4 ×\d+(, int8 ×\d+)?$/);
      const scored = await post(served, "/v1/completions", { prompt: "What is", max_tokens: 1, prompt_logprobs: 1 });
      assert.equal(scored.status, 200, scored.text);
    } finally {
      await served.stop();
    }
  });

  test("that lies stops the start with 3, names and numbers", async () => {
    const short = join(directory, "short.gguf");
    cpSync(file, short);
    truncateSync(short, 200_000);
    const cut = await cli(["serve", "--port", "0", "--model", short]);
    assert.equal(cut.code, 3, cut.output);
    assert.match(cut.output, /takes bytes \d+ to \d+; the file has 200000/);
    const other = join(directory, "other.gguf");
    writeFileSync(other, "no such thing, but long enough to be looked at");
    const none = await cli(["serve", "--port", "0", "--model", other]);
    assert.equal(none.code, 3, none.output);
    assert.match(none.output, /no GGUF file/);
  });
});

describe("rounding at load", () => {
  test("int4 is a question of accepting its loss", async () => {
    const refused = await cli(["serve", "--port", "0", "--quantize", "int4"]);
    assert.equal(refused.code, 2, refused.output);
    assert.match(refused.output, /ruins small models.*doctor --model.*--accept-loss/);
    const served = await serve(["--quantize", "int4", "--accept-loss"]);
    try {
      assert.match(String((await detailsOf(served)).weight_format), /int4 ×\d+/);
      const { status } = await post(served, "/v1/completions", { prompt: "What", max_tokens: 2, prompt_logprobs: 0 });
      assert.equal(status, 200);
    } finally {
      await served.stop();
    }
  });
});

describe("the digest of rounded weights", () => {
  /** Digests of an answer before and after a sync of the other weights, and all that the sync and the fleet say. */
  const syncInto = async (args: readonly string[]) => {
    const served = await serve(args);
    try {
      const digestNow = async () =>
        (await post(served, "/v1/chat/completions", QUESTION)).headers.get("x-weight-digest");
      const first = await digestNow();
      const body = readFileSync(join(modelPath("trained"), "model.safetensors"));
      const response = await fetch(`${served.url}/api/weight-syncs`, {
        method: "POST",
        headers: { "content-type": "application/octet-stream", prefer: "wait=60" },
        body,
      });
      const sync = (await response.json()) as { state: string; digest: string; servers: { digest: string }[] };
      assert.equal(sync.state, "completed", JSON.stringify(sync));
      const fleet = (await (await fetch(`${served.url}/api/fleet`)).json()) as {
        weight_digest: string;
        servers: { weight_digest: string; details: Record<string, unknown> }[];
      };
      const said = [sync.digest, sync.servers[0]!.digest, fleet.weight_digest, fleet.servers[0]!.weight_digest];
      return { first, said: [...said, await digestNow()], format: fleet.servers[0]!.details.weight_format };
    } finally {
      await served.stop();
    }
  };

  test("is that of the weights as stored and as sent, whatever the replica makes of them", async () => {
    const plain = await syncInto([]);
    const rounded = await syncInto(["--quantize", "int8"]);
    assert.equal(plain.format, "fp32");
    assert.match(String(rounded.format), /int8 ×\d+/);
    assert.equal(rounded.first, plain.first);
    assert.notEqual(rounded.first, rounded.said[0]);
    assert.match(plain.said[0]!, /^sha256:[0-9a-f]{64}$/);
    for (const digest of [...plain.said, ...rounded.said]) assert.equal(digest, plain.said[0]);
  });
});

describe("without a tokenizer", () => {
  test("token ids in and out; everything that needs words answers 400 and says so", async () => {
    const model = join(directory, "wordless");
    cpSync(modelPath("trained"), model, { recursive: true });
    for (const name of ["tokenizer.json", "tokenizer_config.json"]) rmSync(join(model, name), { force: true });
    const without = await cli(["serve", "--port", "0", "--model", model]);
    assert.equal(without.code, 3, without.output);
    assert.match(without.output, /--skip-tokenizer-init/);
    const served = await serve(["--model", model, "--skip-tokenizer-init"]);
    try {
      const answer = await post(served, "/v1/completions", { prompt: [5, 9, 23], max_tokens: 3, temperature: 0 });
      assert.equal(answer.status, 200, answer.text);
      const [choice] = (JSON.parse(answer.text) as { choices: { text: string; token_ids: number[] }[] }).choices;
      assert.equal(choice?.text, "");
      assert.ok(choice!.token_ids.length > 0 && choice!.token_ids.length <= 3);
      for (const [path, body] of [
        ["/v1/completions", { prompt: "text", max_tokens: 1 }],
        ["/v1/completions", { prompt: [5], max_tokens: 1, stop: ["x"] }],
        ["/v1/chat/completions", QUESTION],
        ["/tokenize", { prompt: "text" }],
        ["/detokenize", { tokens: [5, 9] }],
        ["/generate/", { prompts: ["text"] }],
      ] as const) {
        const refused = await post(served, path, body);
        assert.equal(refused.status, 400, `${path}: ${refused.text}`);
        assert.match(refused.text, /--skip-tokenizer-init/, path);
      }
    } finally {
      await served.stop();
    }
  });
});
