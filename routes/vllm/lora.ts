/** `POST /v1/load_lora_adapter` and `/v1/unload_lora_adapter`: vLLM's routes, over all servers or none. */
import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { LoadLoraAdapter, UnloadLoraAdapter } from "../../src/contract/vllm/lora.ts";
import { GatewayError } from "../../src/errors.ts";
import { asIs, defineRoute } from "../../src/http/define-route.ts";
import { type ErrorCase, openAiErrors } from "../../src/http/error-responses.ts";
import { readBody } from "../../src/http/validation.ts";

const FAILED: ErrorCase = [
  "replica_failed",
  "load_lora_adapter failed on 1 of 2 servers. vllm-1: /v1/load_lora_adapter of http://10.0.0.8:8000 answered 500: rank 64 is greater than max_lora_rank 16. The others are as before.",
];
const BUSY: ErrorCase = ["sync_in_progress", "load_lora_adapter: weight sync ws_7d1f2c is running. Wait for it."];
const ALONE: ErrorCase = [
  "unsupported",
  "load_lora_adapter: embedded-0 (embedded) cannot load LoRA adapters while it runs, and an adapter is loaded on all servers or on none.",
];

const text = (example: string) => ({ "text/plain": { schema: z.string().meta({ example }) } });

/** vLLM's own check, in its words. */
function requireNames(...names: readonly string[]): void {
  if (!names.includes("")) return;
  throw new GatewayError(
    "invalid_value",
    names.length === 1
      ? "'lora_name' needs to be provided to unload a LoRA adapter."
      : "Both 'lora_name' and 'lora_path' must be provided.",
    { param: "lora_name" },
  );
}

export const loadLoraAdapter = defineRoute({
  route: createRoute({
    method: "post",
    path: "/v1/load_lora_adapter",
    operationId: "loadLoraAdapter",
    tags: ["vLLM"],
    summary: "Load a LoRA adapter into every server",
    description:
      "On all servers or on none: when one fails, the others are brought back to what they had, and the answer names it. Each load of a name is a new version (`x-adapter-version` here and on every answer of that model); a request whose `model` is the adapter goes only to servers that hold the current one. Servers that come up later get it before they are given such requests.",
    request: { body: { required: true, content: { "application/json": { schema: LoadLoraAdapter } } } },
    responses: {
      200: {
        description: "Every server serves it.",
        headers: {
          "x-adapter-version": { description: "What this load is called.", schema: { type: "string", example: "1" } },
        },
        content: text("Success: LoRA adapter 'policy-v7' added successfully."),
      },
      ...openAiErrors(
        ["missing_field", "lora_path is required: a string.", "lora_path"],
        ["invalid_value", "The lora adapter 'policy-v7' has already been loaded.", "lora_name"],
        ALONE,
        [
          "not_found",
          "load_lora_adapter failed on 2 of 2 servers. vllm-0: /v1/load_lora_adapter of http://10.0.0.7:8000: Loading lora policy-v7 failed: No adapter found for <path>",
        ],
        BUSY,
        FAILED,
      ),
    },
  }),
  scope: "weights",
  rawBody: true,
  handler: async (c) => {
    const body = await readBody(c, LoadLoraAdapter);
    const { lora_name: name, lora_path: path } = body;
    requireNames(name, path);
    const request = { name, path, replace: body.load_inplace, is3d: body.is_3d_lora_weight };
    const { version } = await c.var.gateway.adapters.load(request, c.var.signal);
    c.header("x-adapter-version", String(version));
    return asIs(c.text(`Success: LoRA adapter '${name}' added successfully.`, 200));
  },
});

export const unloadLoraAdapter = defineRoute({
  route: createRoute({
    method: "post",
    path: "/v1/unload_lora_adapter",
    operationId: "unloadLoraAdapter",
    tags: ["vLLM"],
    summary: "Take a LoRA adapter from every server",
    description:
      "On all servers or on none: when one fails, the others load it again. Requests under way are let finish first.",
    request: { body: { required: true, content: { "application/json": { schema: UnloadLoraAdapter } } } },
    responses: {
      200: {
        description: "No server serves it.",
        content: text("Success: LoRA adapter 'policy-v6' removed successfully."),
      },
      ...openAiErrors(
        ["missing_field", "lora_name is required: a string.", "lora_name"],
        ALONE,
        ["not_found", "The lora adapter 'policy-v5' cannot be found."],
        BUSY,
        FAILED,
      ),
    },
  }),
  scope: "weights",
  rawBody: true,
  handler: async (c) => {
    const { lora_name: name } = await readBody(c, UnloadLoraAdapter);
    requireNames(name);
    await c.var.gateway.adapters.unload(name, c.var.signal);
    return asIs(c.text(`Success: LoRA adapter '${name}' removed successfully.`, 200));
  },
});
