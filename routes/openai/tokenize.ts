/** `POST /tokenize`, `POST /detokenize`: words to token ids and back, by the served model's own tokenizer. */
import { createRoute } from "@hono/zod-openapi";
import type { Prompt } from "../../src/contract/generation.ts";
import {
  DetokenizeRequest,
  DetokenizeResponse,
  TokenizeChat,
  TokenizeRequest,
  TokenizeResponse,
  TokenizeText,
} from "../../src/contract/openai/tokenize.ts";
import { defineRoute } from "../../src/http/define-route.ts";
import { openAiErrors } from "../../src/http/error-responses.ts";
import { toChatPrompt } from "../../src/http/openai/chat-prompt.ts";
import { parseJsonObject, readBody, validate } from "../../src/http/validation.ts";

const ERRORS = openAiErrors(
  ["missing_field", "prompt is required: a string.", "prompt"],
  ["invalid_value", 'tokens.0 must be an integer, got "a".', "tokens.0"],
  ["model_not_found", "The model `nope` does not exist. Valid aliases: tide-nano.", "model"],
  ["no_replica", "No replica is ready."],
);

function toPrompt(
  bytes: Uint8Array,
  trust: { readonly trustRequestChatTemplate: boolean },
): {
  readonly prompt: Prompt;
  readonly fields: { model?: string | null | undefined; return_token_strs?: boolean | null | undefined };
} {
  const body = parseJsonObject(bytes);
  if (body.messages === undefined) {
    const fields = validate(TokenizeText, body);
    return {
      fields,
      prompt: { kind: "text", text: fields.prompt, addSpecialTokens: fields.add_special_tokens ?? true },
    };
  }
  const fields = validate(TokenizeChat, body);
  return { fields, prompt: toChatPrompt(fields, trust, bytes) };
}

export const tokenize = defineRoute({
  route: createRoute({
    method: "post",
    path: "/tokenize",
    operationId: "tokenize",
    tags: ["OpenAI"],
    summary: "A text or conversation as token ids",
    request: { body: { required: true, content: { "application/json": { schema: TokenizeRequest } } } },
    responses: {
      200: { description: "The tokens.", content: { "application/json": { schema: TokenizeResponse } } },
      ...ERRORS,
    },
  }),
  scope: "generate",
  rawBody: true,
  handler: async (c) => {
    const { gateway, signal } = c.var;
    const { prompt, fields } = toPrompt(new Uint8Array(await c.req.raw.arrayBuffer()), gateway.config);
    const found = await gateway.generation.tokenize(fields.model || undefined, prompt, signal);
    return c.json(
      {
        count: found.tokenIds.length,
        max_model_len: found.maxModelLen,
        tokens: [...found.tokenIds],
        token_strs: fields.return_token_strs === true ? [...found.tokenStrings] : null,
      },
      200,
    );
  },
});

export const detokenize = defineRoute({
  route: createRoute({
    method: "post",
    path: "/detokenize",
    operationId: "detokenize",
    tags: ["OpenAI"],
    summary: "Token ids as text",
    request: { body: { required: true, content: { "application/json": { schema: DetokenizeRequest } } } },
    responses: {
      200: { description: "The text.", content: { "application/json": { schema: DetokenizeResponse } } },
      ...ERRORS,
    },
  }),
  scope: "generate",
  rawBody: true,
  handler: async (c) => {
    const { model, tokens } = await readBody(c, DetokenizeRequest);
    const { gateway, signal } = c.var;
    return c.json({ prompt: await gateway.generation.detokenize(model || undefined, tokens, signal) }, 200);
  },
});
