// Unmodified `openai` for Node against the gateway; prints "ok NAME" or "not ok NAME: why" per check.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [, , base, model, folder] = process.argv;
const entry = createRequire(`${folder}/`).resolve("openai");
const {
  default: OpenAI,
  NotFoundError,
  BadRequestError,
  APIConnectionTimeoutError,
} = await import(pathToFileURL(entry).href);
const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: "not-needed", maxRetries: 0 });
const messages = [{ role: "user", content: "What is 17 + 25?" }];

const checks = {
  async models() {
    const ids = [];
    for await (const entry of client.models.list()) ids.push(entry.id);
    assert.ok(ids.includes(model));
    assert.equal((await client.models.retrieve(model)).id, model);
  },
  async "chat and stream agree"() {
    const whole = await client.chat.completions.create({ model, messages, temperature: 0 });
    let text = "";
    for await (const chunk of await client.chat.completions.create({ model, messages, temperature: 0, stream: true })) {
      text += chunk.choices[0]?.delta.content ?? "";
    }
    assert.equal(text, whole.choices[0].message.content);
    assert.equal(whole.choices[0].finish_reason, "stop");
  },
  async "completions with logprobs"() {
    const answer = await client.completions.create({
      model,
      prompt: "17 + 25 =",
      max_tokens: 4,
      temperature: 0,
      logprobs: 2,
    });
    const { tokens, token_logprobs } = answer.choices[0].logprobs;
    assert.equal(tokens.length, token_logprobs.length);
    assert.equal(answer.usage.completion_tokens, tokens.length);
  },
  async "unknown model is NotFoundError"() {
    await assert.rejects(client.chat.completions.create({ model: "nope", messages }), NotFoundError);
  },
  async "responses, whole and streamed"() {
    const ask = { model, input: messages, max_output_tokens: 8, temperature: 0 };
    const whole = await client.responses.create(ask);
    assert.notEqual(whole.output_text, "");
    const stream = client.responses.stream(ask);
    let text = "";
    stream.on("response.output_text.delta", (event) => {
      text += event.delta;
    });
    const last = await stream.finalResponse();
    assert.equal(text, whole.output_text);
    assert.equal(last.output_text, whole.output_text);
    assert.deepEqual(last.usage.output_tokens, whole.usage.output_tokens);
  },
  async "bad value is BadRequestError with its field"() {
    await assert.rejects(client.chat.completions.create({ model, messages, temperature: -1 }), (error) => {
      assert.ok(error instanceof BadRequestError);
      assert.equal(error.param, "temperature");
      return true;
    });
  },
  async "time-out is its class"() {
    await assert.rejects(
      client.chat.completions.create({ model, messages }, { timeout: 1 }),
      APIConnectionTimeoutError,
    );
  },
  async "a stream can be left"() {
    const stream = await client.chat.completions.create({
      model,
      messages,
      stream: true,
      max_tokens: 200,
      temperature: 1,
    });
    for await (const _ of stream) break;
    const after = await client.chat.completions.create({ model, messages, max_tokens: 1 });
    assert.equal(after.usage.completion_tokens, 1);
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok openai for Node: ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok openai for Node: ${name}: ${error.message}`);
  }
}
process.exitCode = failed === 0 ? 0 : 1;
