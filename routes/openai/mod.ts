/** The OpenAI routes, in document order. */
import type { AnyRoute } from "../../src/http/define-route.ts";
import { createChatCompletion } from "./chat-completions.ts";
import { createCompletion } from "./completions.ts";
import { createEmbedding } from "./embeddings.ts";
import { getModel, listModels } from "./models.ts";
import { createResponse } from "./responses.ts";
import { detokenize, tokenize } from "./tokenize.ts";

export const openaiRoutes: readonly AnyRoute[] = [
  listModels,
  getModel,
  createCompletion,
  createChatCompletion,
  createResponse,
  createEmbedding,
  tokenize,
  detokenize,
];
