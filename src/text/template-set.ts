/**
 * The templates of one model: a single one, or several by name, chosen as transformers 5 does it (`get_chat_template`).
 * A template that a request brings is parsed here too, and the last few are remembered. Renders nothing itself.
 */
import { GatewayError } from "../errors.ts";
import { type ChatTemplate, createChatTemplate } from "./chat-template.ts";

/** One template, several by name, or none. */
export type TemplateSource = string | Readonly<Record<string, string>> | null;

export interface TemplateSet {
  /**
   * `requested`: a name of this set, or a template's own text; undefined takes `tool_use` when tools are given and
   * there is one, else `default`. Throws GatewayError `unsupported` or `invalid_value` when there is none to take.
   */
  choose(requested: string | undefined, hasTools: boolean): ChatTemplate;
}

/** Templates of requests that are kept parsed; vLLM keeps as many. */
const KEPT = 32;

/** vLLM's words (transformers 4.44 stopped making up templates). */
const NONE =
  "As of transformers v4.44, default chat template is no longer allowed, so you must provide a chat template if " +
  "the tokenizer does not define one.";

/**
 * Parses nothing until a template is asked for.
 *
 * @example
 * ```ts
 * import { createTemplateSet } from "./template-set.ts";
 * const set = createTemplateSet({ default: "plain", tool_use: "with tools" });
 * if (set.choose(undefined, true).source !== "with tools") throw new Error("not chosen");
 * if (set.choose("default", true).source !== "plain") throw new Error("not named");
 * ```
 */
export function createTemplateSet(source: TemplateSource): TemplateSet {
  const named = new Map(typeof source === "object" && source !== null ? Object.entries(source) : []);
  const own = new Map<string, ChatTemplate>();
  const foreign = new Map<string, ChatTemplate>();

  const parsed = (text: string, known: Map<string, ChatTemplate>): ChatTemplate => {
    const template = known.get(text) ?? createChatTemplate(text);
    known.delete(text);
    known.set(text, template);
    const [oldest] = known.keys();
    if (known === foreign && known.size > KEPT && oldest !== undefined) known.delete(oldest);
    return template;
  };

  return {
    choose(requested, hasTools) {
      if (requested !== undefined) {
        const text = named.get(requested);
        return text === undefined ? parsed(requested, foreign) : parsed(text, own);
      }
      if (typeof source === "string") return parsed(source, own);
      if (source === null) throw new GatewayError("unsupported", NONE);
      const text = (hasTools ? named.get("tool_use") : undefined) ?? named.get("default");
      if (text !== undefined) return parsed(text, own);
      throw new GatewayError(
        "invalid_value",
        "This model has multiple chat templates with no default specified! Please either pass a chat template or the " +
          "name of the template you wish to use to the `chat_template` argument. Available template names are " +
          `${[...named.keys()].sort().join(", ")}.`,
        { param: "chat_template" },
      );
    },
  };
}
