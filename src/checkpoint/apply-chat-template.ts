/**
 * The tokenizer of a model directory as Python users call it: `apply_chat_template`, encoding with offsets, decoding. Works on the
 * values that `openCheckpoint` of the library gives, also on one that `setupChatFormat` changed. Reads no file.
 */
import { GatewayError } from "../errors.ts";
import { toAssistantMask } from "../text/assistant-mask.ts";
import { createTemplateSet, type TemplateSource } from "../text/template-set.ts";
import { createTokenizer, type Encoded, type Tokenizer } from "../text/tokenizer.ts";
import type { PretrainedTokenizer } from "./pretrained.ts";
import type { JsonObject } from "./read-files.ts";

/** One message of a conversation, as the template reads it. */
export type TemplateMessage = Readonly<Record<string, unknown>>;

export interface ApplyChatTemplateOptions {
  /** JSON schemas. */
  readonly tools?: readonly unknown[] | null;
  /** `{title, text}` each. */
  readonly documents?: readonly unknown[] | null;
  /** A template's name or its own text; default: `tool_use` when there are tools and the model has one, else its default. */
  readonly chatTemplate?: string | null;
  /** Default false. */
  readonly addGenerationPrompt?: boolean;
  /** true continues the final message's `content`; a name continues that field. Default false. */
  readonly continueFinalMessage?: boolean | string;
  /** Also says which tokens `{% generation %}` blocks wrote. Default false. */
  readonly returnAssistantTokensMask?: boolean;
  /** Further variables of the template. */
  readonly chatTemplateKwargs?: Readonly<Record<string, unknown>> | null;
  /** What `strftime_now` tells; default: now. */
  readonly now?: Date;
}

/** A conversation as the model reads it. */
export interface AppliedChatTemplate {
  readonly text: string;
  /** Encoded without further special tokens: the template writes its own. */
  readonly inputIds: readonly number[];
  /** 1 where the assistant speaks; null unless asked for. All 0 when the template has no `{% generation %}`. */
  readonly assistantMasks: readonly (0 | 1)[] | null;
}

/** A vocabulary takes a while to read, and conversations come by the thousand. */
const known = new WeakMap<JsonObject, WeakMap<JsonObject, Tokenizer>>();

/** The tokenizer of these values; made once. */
function tokenizerOf({ json, config }: PretrainedTokenizer): Tokenizer {
  const configs = known.get(json.value) ?? new WeakMap<JsonObject, Tokenizer>();
  known.set(json.value, configs);
  const made = configs.get(config.value) ?? createTokenizer(json.value, config.value);
  configs.set(config.value, made);
  return made;
}

/** A list of `{name, template}` by name. */
function toSource(template: PretrainedTokenizer["chatTemplate"]): TemplateSource {
  if (template === null || typeof template === "string") return template;
  return Object.fromEntries(template.map(({ name, template: text }) => [String(name), String(text)]));
}

/**
 * `tokenizer.apply_chat_template` of transformers (5.23) for one conversation: text, ids and, when asked for, the mask of what the
 * assistant said.
 *
 * @throws GatewayError `unsupported` when the tokenizer has no template or one that cannot be parsed; `invalid_value` with the
 *   template's own words (`raise_exception`), when its budget of steps or text is spent, and for arguments that do not go together.
 *
 * @example
 * ```ts
 * import { applyChatTemplate } from "./apply-chat-template.ts";
 * import type { PretrainedTokenizer } from "./pretrained.ts";
 * const vocab = Object.fromEntries([..."U:A?!"].map((token, id) => [token, id]));
 * const chatTemplate =
 *   "{% for m in messages %}{% if m.role == 'user' %}U:{{ m.content }}{% else %}A:{% generation %}{{ m.content }}{% endgeneration %}{% endif %}{% endfor %}";
 * const json = { text: "", value: { model: { type: "BPE", vocab, merges: [] } } };
 * const tokenizer = { json, config: { text: "", value: {} }, chatTemplate } as unknown as PretrainedTokenizer;
 * const messages = [{ role: "user", content: "?" }, { role: "assistant", content: "!!" }];
 * const { text, assistantMasks } = applyChatTemplate(tokenizer, messages, { returnAssistantTokensMask: true });
 * if (text !== "U:?A:!!" || assistantMasks?.join("") !== "0000011") throw new Error(text);
 * ```
 */
export function applyChatTemplate(
  tokenizer: PretrainedTokenizer,
  messages: readonly TemplateMessage[],
  options: ApplyChatTemplateOptions = {},
): AppliedChatTemplate {
  const { tools = null, documents = null, chatTemplate, returnAssistantTokensMask = false } = options;
  const words = tokenizerOf(tokenizer);
  const template = createTemplateSet(toSource(tokenizer.chatTemplate)).choose(
    chatTemplate ?? undefined,
    tools !== null,
  );
  const request = {
    messages,
    tools,
    documents,
    addGenerationPrompt: options.addGenerationPrompt ?? false,
    continueFinalMessage: options.continueFinalMessage ?? false,
    variables: { ...words.specialTokens, ...options.chatTemplateKwargs },
    now: options.now ?? new Date(),
  };
  if (!returnAssistantTokensMask) {
    const text = template.render(request);
    return { text, inputIds: words.encode(text, false), assistantMasks: null };
  }
  const { text, generationSpans } = template.renderSpans(request);
  const { ids, offsets } = words.encodeWithOffsets(text, false);
  return { text, inputIds: ids, assistantMasks: toAssistantMask(offsets, generationSpans) };
}

/**
 * Text → ids with their places in the text, as `tokenizer(text, return_offsets_mapping=True)`. Places count code points.
 *
 * @param options.addSpecialTokens whether the post-processor adds bos, eos and the like; default true
 */
export function encodeText(
  tokenizer: PretrainedTokenizer,
  text: string,
  options: { readonly addSpecialTokens?: boolean } = {},
): Encoded {
  return tokenizerOf(tokenizer).encodeWithOffsets(text, options.addSpecialTokens ?? true);
}

/**
 * Ids → text, as `tokenizer.decode`.
 *
 * @param options.skipSpecialTokens default false
 */
export function decodeIds(
  tokenizer: PretrainedTokenizer,
  ids: readonly number[],
  options: { readonly skipSpecialTokens?: boolean } = {},
): string {
  const odd = ids.find((id) => !Number.isSafeInteger(id) || id < 0);
  if (odd !== undefined) throw new GatewayError("invalid_value", `ids must be whole numbers from 0, got ${odd}.`);
  return tokenizerOf(tokenizer).decodeClean(ids, options.skipSpecialTokens ?? false);
}
