/** Names of formats in which models write tool calls: vLLM 0.32's names of those that are understood here. */
export const TOOL_PARSERS = ["hermes", "qwen3_json", "llama3_json", "llama4_json", "mistral"] as const;

/** What `--tool-call-parser` takes. */
export type ToolParserName = (typeof TOOL_PARSERS)[number];
