/** Formats of tool calls by the names that `--tool-call-parser` takes. */
import type { ToolParserName } from "../../../contract/openai/tool-parsers.ts";
import { HERMES } from "./hermes.ts";
import { LLAMA } from "./llama.ts";
import { MISTRAL } from "./mistral.ts";
import type { ToolFormat } from "./types.ts";

/** One for each name; aliases as in vLLM 0.32. */
export const TOOL_FORMATS: Readonly<Record<ToolParserName, ToolFormat>> = {
  hermes: HERMES,
  qwen3_json: HERMES,
  llama3_json: LLAMA,
  llama4_json: LLAMA,
  mistral: MISTRAL,
};
