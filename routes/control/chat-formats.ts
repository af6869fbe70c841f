/** `/api/chat-formats`: put a chat format onto a model directory, as TRL's `setup_chat_format` does. */
import { createRoute } from "@hono/zod-openapi";
import { ChatFormatRequest, ChatFormatResult } from "../../src/contract/control/chat-formats.ts";
import { defineRoute } from "../../src/http/define-route.ts";
import { problems } from "../../src/http/problem-responses.ts";
import { readBody } from "../../src/http/validation.ts";
import { CHAT_FORMAT_EXAMPLE, CHAT_FORMAT_REQUEST_EXAMPLE } from "./examples.ts";

export const createChatFormat = defineRoute({
  route: createRoute({
    method: "post",
    path: "/api/chat-formats",
    operationId: "createChatFormat",
    tags: ["weights"],
    summary: "Set up a chat format",
    description:
      "Writes a copy of a model directory with the special tokens `<|im_start|>` and `<|im_end|>`, the ChatML template and an embedding of as many rows as there are tokens (new ones by transformers' rule: the mean of the old, with a little noise). TRL's `setup_chat_format`. The source is only read; the new directory appears whole or not at all, and when the call is abandoned nothing of it stays. The fleet serves on as it was.",
    request: {
      body: {
        required: true,
        content: { "application/json": { schema: ChatFormatRequest, example: CHAT_FORMAT_REQUEST_EXAMPLE } },
      },
    },
    responses: {
      200: {
        description: "The new directory is there.",
        content: { "application/json": { schema: ChatFormatResult, example: CHAT_FORMAT_EXAMPLE } },
      },
      ...problems(
        ["malformed_json", "The request body is not valid JSON: Unexpected end of input"],
        ["missing_field", "model is required: a string.", { param: "model" }],
        ["invalid_value", "resize_to_multiple_of must be at least 1, got 0.", { param: "resize_to_multiple_of" }],
        ["unknown_field", "out is not a field of this request.", { param: "out" }],
        [
          "source_unreadable",
          "The model /models/nowhere does not exist; give the directory of a Hugging Face checkpoint.",
        ],
        [
          "unsupported",
          "Tensor lm_head.weight is F8_E4M3; F32, F16 and BF16 can be resized.",
          { tensor: "lm_head.weight" },
        ],
        ["weights_malformed", "The header is not JSON: Expected a value at character 0."],
        ["weights_truncated", 'The file ends inside tensor "lm_head.weight": 128 bytes instead of 256.'],
        ["weights_missing_tensor", 'The index says that b.safetensors holds tensor "a"; it does not.', { tensor: "a" }],
        ["weights_duplicate_tensor", 'Tensor "a" is in a.safetensors and again in b.safetensors.', { tensor: "a" }],
        [
          "weights_shape_mismatch",
          "Tensor lm_head.weight is [300,32]; the vocabulary of the model has 320 rows.",
          { tensor: "lm_head.weight" },
        ],
        ["limit_exceeded", "The disk is full; nothing of output /models/llama-chatml was kept.", { param: "output" }],
        [
          "conflict",
          "output /models/llama-chatml exists already; give the path of a new directory.",
          { param: "output" },
        ],
      ),
    },
  }),
  scope: "weights",
  rawBody: true,
  handler: async (c) => {
    const request = await readBody(c, ChatFormatRequest);
    return c.json(await c.get("gateway").chatFormats.create(request, c.get("signal")), 200);
  },
});
