/**
 * Chat templates over `@huggingface/jinja`, with the surroundings that transformers 5 gives them
 * (`utils/chat_template_utils.py`): raise_exception, strftime_now, tojson, dropping of null keys, continuation of the
 * final message. Rendering only; what messages must look like beforehand is `messages.ts`.
 */
import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";
import { GatewayError } from "../errors.ts";
import type { ContentFormat } from "./messages.ts";
import { toPythonTime } from "./python-time.ts";

export interface RenderOptions {
  readonly messages: readonly Readonly<Record<string, unknown>>[];
  readonly tools?: readonly unknown[] | null;
  readonly documents?: readonly unknown[] | null;
  readonly addGenerationPrompt: boolean;
  readonly continueFinalMessage: boolean;
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
}

/** transformers' own mark; the final message is cut where it comes out. */
const CONTINUE_MARK = "CONTINUE_FINAL_MESSAGE_TAG ";

class TemplateRefusal extends Error {}

const refuse = (message: string, cause?: unknown): GatewayError =>
  new GatewayError("invalid_value", message, { param: "messages", ...(cause === undefined ? {} : { cause }) });

const reasonOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

type Node = { readonly type?: unknown } & Readonly<Record<string, unknown>>;
const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null;

/** Every node below, depth first. Templates are trees of some hundred nodes. */
function* walk(value: unknown): Generator<Node> {
  if (Array.isArray(value)) for (const item of value) yield* walk(item);
  else if (value instanceof Map) for (const [key, item] of value) yield* walk([key, item]);
  else if (isNode(value)) {
    yield value;
    for (const child of Object.values(value)) if (typeof child === "object") yield* walk(child);
  }
}

/** `message.content`, `message["content"]`, or a variable that was set from it. */
function isContent(node: unknown, aliases: ReadonlySet<unknown>): boolean {
  if (!isNode(node)) return false;
  if (node.type === "FilterExpression") return isContent(node.operand, aliases);
  if (node.type === "SelectExpression") return isContent(node.lhs, aliases);
  if (node.type === "Identifier") return aliases.has(node.value);
  return node.type === "MemberExpression" && isNode(node.property) && node.property.value === "content";
}

/** A template that loops over a message's content wants parts; any other gets text (vLLM's detection, simplified). */
function detectContentFormat(program: unknown): ContentFormat {
  const aliases = new Set<unknown>();
  for (const node of walk(program)) {
    if (node.type === "Set" && isNode(node.assignee) && isContent(node.value, new Set())) {
      aliases.add(node.assignee.value);
    }
  }
  for (const node of walk(program)) if (node.type === "For" && isContent(node.iterable, aliases)) return "parts";
  return "string";
}

/** As transformers 5: null keys vanish, and the older names of the reasoning field are copied to the present one. */
function toPlainMessage(message: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const out = Object.fromEntries(Object.entries(message).filter(([, value]) => value !== null && value !== undefined));
  const reasoning = out.reasoning_content ?? out.reasoning ?? out.thinking;
  return reasoning === undefined ? out : { ...out, reasoning_content: reasoning };
}

/** Adds the mark to the final message's text. The text as it was comes back for the check. */
function markFinal(messages: Record<string, unknown>[]): string {
  const last = messages.at(-1);
  if (last === undefined) return "";
  const { content } = last;
  if (typeof content === "string") {
    messages[messages.length - 1] = { ...last, content: content + CONTINUE_MARK };
    return content;
  }
  if (Array.isArray(content)) {
    const index = content.findLastIndex((part: unknown) => isNode(part) && typeof part.text === "string");
    const part = content[index] as Record<string, unknown> | undefined;
    if (part !== undefined) {
      const marked = content.with(index, { ...part, text: `${part.text}${CONTINUE_MARK}` });
      messages[messages.length - 1] = { ...last, content: marked };
      return String(part.text);
    }
  }
  throw refuse("continue_final_message is set but the final message has no content to continue.");
}

function cutAtMark(rendered: string, finalText: string): string {
  const mark = CONTINUE_MARK.trim();
  const at = rendered.lastIndexOf(mark);
  if (at < 0 || !rendered.includes(finalText.trim())) {
    throw refuse(
      "continue_final_message is set but the final message does not appear in the chat after applying the chat " +
        "template! This can happen if the chat template deletes portions of the final message.",
    );
  }
  const kept = rendered.slice(0, at);
  // A template that trimmed the mark's space would have trimmed the message's too.
  return rendered.startsWith(CONTINUE_MARK, at) ? kept : kept.trimEnd();
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
  let program: ReturnType<typeof parse> | undefined;
  let broken: unknown;
  try {
    program = parse(tokenize(toPlainBlocks(source), { lstrip_blocks: true, trim_blocks: true }));
  } catch (thrown) {
    broken = thrown;
  }
  return {
    source,
    contentFormat: program === undefined ? "string" : detectContentFormat(program),
    render(options) {
      if (program === undefined) {
        throw new GatewayError("unsupported", `The model's chat template cannot be parsed: ${reasonOf(broken)}`, {
          cause: broken,
        });
      }
      if (options.messages.length === 0) {
        throw refuse("Cannot apply chat template to an empty conversation. Provide at least one message.");
      }
      if (options.continueFinalMessage && options.addGenerationPrompt) {
        throw refuse("Cannot set both `continue_final_message` and `add_generation_prompt` to True.");
      }
      const messages = options.messages.map(toPlainMessage);
      const finalText = options.continueFinalMessage ? markFinal(messages) : "";
      const environment = new Environment();
      const variables: Record<string, unknown> = {
        true: true,
        True: true,
        false: false,
        False: false,
        none: null,
        None: null,
        range: toRange,
        raise_exception: (message: unknown) => {
          throw new TemplateRefusal(String(message));
        },
        strftime_now: (format: string) => toPythonTime(options.now, format),
        ...options.variables,
        messages,
        tools: options.tools ?? null,
        documents: options.documents ?? null,
        add_generation_prompt: options.addGenerationPrompt,
      };
      // The environment has a `namespace` of its own, and refuses to be told twice.
      for (const [name, value] of Object.entries(variables)) if (name !== "namespace") environment.set(name, value);
      let rendered: string;
      try {
        rendered = String(new Interpreter(environment).run(program).value);
      } catch (thrown) {
        throw refuse(thrown instanceof TemplateRefusal ? thrown.message : `Chat template: ${reasonOf(thrown)}`, thrown);
      }
      return options.continueFinalMessage ? cutAtMark(rendered, finalText) : rendered;
    },
  };
}

/** `{% generation %}` only marks spans for training masks: it renders as its content. */
function toPlainBlocks(source: string): string {
  return source
    .replaceAll(/\{%(-?)\s*generation\s*(-?)%\}/g, "{%$1 if true $2%}")
    .replaceAll(/\{%(-?)\s*endgeneration\s*(-?)%\}/g, "{%$1 endif $2%}");
}

/** Longest list that `range` makes: a template has no use for more, and the arguments may be the caller's. */
const RANGE_LIMIT = 100_000;

function toRange(first: number, second?: number, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  if (step === 0) throw new Error("range() arg 3 must not be zero");
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (length > RANGE_LIMIT) throw new Error(`Range too big. The sandbox blocks ranges larger than ${RANGE_LIMIT}.`);
  return Array.from({ length }, (_, index) => start + index * step);
}
