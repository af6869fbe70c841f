/** `input` and `instructions` of `/v1/responses` → the messages of a conversation, as vLLM 0.32 builds them. */
import type { ChatRequestMessage } from "../../../contract/openai/chat.ts";
import type { ResponseInputItem, ResponseOptions } from "../../../contract/openai/responses.ts";
import { GatewayError, invalidValue, showValue } from "../../../errors.ts";

const ROLES = ["user", "assistant", "system", "developer"] as const;

const UNFINISHED: ReadonlySet<unknown> = new Set(["in_progress", "incomplete"]);

function toMessage(item: ResponseInputItem, param: string): ChatRequestMessage {
  const { type, role, content } = item;
  if (type !== undefined && type !== null && type !== "message") {
    throw new GatewayError(
      "unsupported",
      `${param}.type ${showValue(type)} is not supported on embedded replicas: send messages; for tool calls use /v1/chat/completions.`,
      { param: `${param}.type` },
    );
  }
  if (!ROLES.some((known) => known === role)) {
    throw invalidValue(`${param}.role`, role, `one of ${ROLES.map((known) => showValue(known)).join(", ")}`);
  }
  if (content === undefined) throw invalidValue(`${param}.content`, content, "a string or a list of content parts");
  // OpenAI's name for a system message; templates know the older one.
  return { role: role === "developer" ? "system" : (role as string), content };
}

/** The messages, and whether the last one is to be continued. Throws GatewayError for what is no message. */
export function toInputMessages({ input, instructions }: Pick<ResponseOptions, "input" | "instructions">): {
  readonly messages: readonly ChatRequestMessage[];
  readonly continued: boolean;
} {
  if (input.length === 0) throw invalidValue("input", input, "a text or a list of at least one message");
  const said =
    typeof input === "string"
      ? [{ role: "user", content: input }]
      : input.map((item, index) => toMessage(item, `input.${index}`));
  const last = typeof input === "string" ? undefined : input.at(-1);
  return {
    messages: instructions ? [{ role: "system", content: instructions }, ...said] : said,
    continued: last?.role === "assistant" && UNFINISHED.has(last.status),
  };
}
