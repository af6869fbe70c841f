/**
 * Chat templates with the surroundings that transformers 5.23 gives them (`utils/chat_template_utils.py`): the immutable
 * sandbox of jinja2, raise_exception, strftime_now, tojson, dropping of null keys, continuation of the final message.
 * Templates are untrusted: each rendering has a budget of steps and text. What messages must look like beforehand is
 * `messages.ts`.
 */
import { GatewayError } from "../errors.ts";
import { detectContentFormat } from "./content-format.ts";
import { aliasReasoning, cutAtMark, markFinalMessage } from "./continue-message.ts";
import { BudgetExceeded, withBudget } from "./jinja/budget.ts";
import { type Program, parseTemplate } from "./jinja/parser.ts";
import { KNOWN_NAMES, type Rendered, renderProgram } from "./jinja/render.ts";
import { TemplateFailure, toValue, type Value } from "./jinja/values.ts";
import type { ContentFormat } from "./messages.ts";
import { toPythonTime } from "./python-time.ts";

export type { Rendered } from "./jinja/render.ts";

export interface RenderOptions {
  readonly messages: readonly Readonly<Record<string, unknown>>[];
  readonly tools?: readonly unknown[] | null;
  readonly documents?: readonly unknown[] | null;
  readonly addGenerationPrompt: boolean;
  /** true continues the final message's `content`; a name continues that field. */
  readonly continueFinalMessage: boolean | string;
  /** Special tokens first, then the caller's own variables, which win. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** For `strftime_now`. */
  readonly now: Date;
}

export interface ChatTemplate {
  readonly source: string;
  readonly contentFormat: ContentFormat;
  /** Throws GatewayError `invalid_value`; the message of `raise_exception` comes through as it is. */
  render(options: RenderOptions): string;
  /** As `render`, with the spans of `{% generation %}` blocks. They do not go together with continuation. */
  renderSpans(options: RenderOptions): Rendered;
}

/**
 * Units of `jinja/budget.ts` for one rendering: four million nodes, or 64 million characters copied. A conversation that
 * fills a context of 128k tokens takes a tenth of it; a hostile template is stopped within about a second.
 */
const RENDER_BUDGET = 64_000_000;

/** Characters and nested pieces of a template while it is parsed. */
const PARSE_BUDGET = 4_000_000;

/** Names the caller's variables cannot replace: they are arguments of their own. */
const ARGUMENTS = ["messages", "tools", "documents", "add_generation_prompt"];

const refuse = (message: string, cause?: unknown): GatewayError =>
  new GatewayError("invalid_value", message, { param: "messages", ...(cause === undefined ? {} : { cause }) });

/**
 * Null keys vanish and reasoning gets its other names, as in transformers 5.23 (`apply_chat_template`,
 * `_alias_reasoning_fields`). Releases up to 5.19 do neither: there `content: null` is printed as None.
 */
const toPlainMessage = (message: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  aliasReasoning(
    Object.fromEntries(Object.entries(message).filter(([, value]) => value !== null && value !== undefined)),
  );

/** A failure of rendering in the caller's words. */
function toGatewayError(thrown: unknown): unknown {
  if (thrown instanceof GatewayError) return thrown;
  if (thrown instanceof BudgetExceeded) {
    return refuse(`The chat template was stopped: ${thrown.message}.`, thrown);
  }
  // A stack that is full is the template's nesting: the interpreter recurses only over its tree.
  if (thrown instanceof RangeError) return refuse("The chat template was stopped: it is nested too deeply.", thrown);
  if (!(thrown instanceof TemplateFailure)) return thrown;
  return refuse(
    thrown.kind === "TemplateError" ? thrown.message : `Chat template: ${thrown.kind}: ${thrown.message}`,
    thrown,
  );
}

function* variablesOf(options: RenderOptions, messages: readonly unknown[]): Generator<readonly [string, Value]> {
  for (const [name, value] of Object.entries(options.variables)) {
    if (value !== undefined && !ARGUMENTS.includes(name)) yield [name, toValue(value)];
  }
  yield ["messages", toValue(messages)];
  yield ["tools", toValue(options.tools ?? null)];
  yield ["documents", toValue(options.documents ?? null)];
  yield ["add_generation_prompt", options.addGenerationPrompt];
}

/**
 * Parses a template once. A template that cannot be parsed is reported by `render`, because a model without a usable
 * template still serves completions.
 *
 * @example
 * ```ts
 * import { createChatTemplate } from "./chat-template.ts";
 * const template = createChatTemplate("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}");
 * const messages = [{ role: "user", content: "Hi" }];
 * const options = { messages, addGenerationPrompt: false, continueFinalMessage: false, variables: {}, now: new Date() };
 * if (template.render(options) !== "<user>Hi") throw new Error("not rendered");
 * ```
 */
export function createChatTemplate(source: string): ChatTemplate {
  let program: Program | undefined;
  let broken: unknown;
  try {
    program = withBudget(PARSE_BUDGET, () => parseTemplate(source, KNOWN_NAMES));
  } catch (thrown) {
    broken = thrown;
  }

  const run = (options: RenderOptions, messages: readonly Readonly<Record<string, unknown>>[]): Rendered => {
    if (program === undefined) {
      const reason = broken instanceof Error ? broken.message : String(broken);
      throw new GatewayError("unsupported", `The model's chat template cannot be parsed: ${reason}`, { cause: broken });
    }
    const parsed = program;
    try {
      return withBudget(RENDER_BUDGET, () =>
        renderProgram(parsed, variablesOf(options, messages), (format) => toPythonTime(options.now, format)),
      );
    } catch (thrown) {
      throw toGatewayError(thrown);
    }
  };
  const prepare = (options: RenderOptions): readonly Readonly<Record<string, unknown>>[] => {
    if (options.messages.length === 0) {
      throw refuse("Cannot apply chat template to an empty conversation. Provide at least one message.");
    }
    if (options.continueFinalMessage !== false && options.addGenerationPrompt) {
      throw refuse("Cannot set both `continue_final_message` and `add_generation_prompt` to True.");
    }
    const odd = options.documents?.find((entry) => typeof entry !== "object" || entry === null || Array.isArray(entry));
    if (odd !== undefined) {
      throw new GatewayError("invalid_value", "documents should be a list of objects with 'title' and 'text' keys.", {
        param: "documents",
      });
    }
    return options.messages.map(toPlainMessage);
  };

  return {
    source,
    contentFormat: program === undefined ? "string" : detectContentFormat(program.body),
    render(options) {
      const messages = prepare(options);
      const { continueFinalMessage: field } = options;
      if (field === false) return run(options, messages).text;
      const marked = markFinalMessage(messages, field === true ? "content" : field, source);
      return cutAtMark(run(options, marked.messages).text, marked.finalText);
    },
    renderSpans(options) {
      if (options.continueFinalMessage !== false) {
        throw refuse("continue_final_message is not compatible with return_assistant_tokens_mask.");
      }
      return run(options, prepare(options));
    },
  };
}
