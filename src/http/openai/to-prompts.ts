/** The `prompt` of a completion request → neutral prompts. Checked by hand: token id lists are long, unions slow. */
import type { Prompt } from "../../contract/generation.ts";
import { GatewayError, invalidValue, malformedValue } from "../../errors.ts";

/** Token ids are array indexes somewhere: a bound that every vocabulary stays below. */
const TOKEN_ID_LIMIT = 2 ** 31;

/** Checks a token id list. `param` names it in errors. */
export function checkTokenIds(ids: readonly unknown[], param: string): readonly number[] {
  for (let index = 0; index < ids.length; index += 1) {
    const id = ids[index];
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0) {
      throw malformedValue(`${param}.${index}`, id, "a token id: an integer from 0");
    }
    if (id >= TOKEN_ID_LIMIT) {
      throw new GatewayError("invalid_value", `Token id ${id} is out of vocabulary`, { param: `${param}.${index}` });
    }
  }
  return ids as readonly number[];
}

const emptyPrompt = (param: string): GatewayError =>
  new GatewayError("invalid_value", `${param} must not be empty: the model needs at least one token to continue.`, {
    param,
  });

function toTokens(ids: readonly unknown[], param: string): Prompt {
  const checked = checkTokenIds(ids, param);
  if (checked.length === 0) throw emptyPrompt(param);
  return { kind: "tokens", ids: checked };
}

function toText(text: string, param: string, addSpecialTokens: boolean): Prompt {
  if (text === "") throw emptyPrompt(param);
  if (!text.isWellFormed()) throw invalidValue(param, text, "Unicode text: it holds half of a surrogate pair");
  return { kind: "text", text, addSpecialTokens };
}

/**
 * A text, texts, token ids or lists of token ids. Throws GatewayError `missing_field`, `invalid_value` or `unsupported`.
 */
export function toPrompts(
  prompt: unknown,
  options: { readonly addSpecialTokens: boolean; readonly param?: string },
): readonly Prompt[] {
  const { addSpecialTokens, param = "prompt" } = options;
  const accepted = "a text, a list of texts, a list of token ids or a list of token id lists";
  if (prompt === undefined || prompt === null) {
    throw new GatewayError("missing_field", `${param} is required: ${accepted}.`, { param });
  }
  if (typeof prompt === "string") return [toText(prompt, param, addSpecialTokens)];
  if (!Array.isArray(prompt)) throw malformedValue(param, prompt, accepted);
  if (prompt.length === 0) throw emptyPrompt(param);
  if (typeof prompt[0] === "number") return [toTokens(prompt, param)];
  return prompt.map((item: unknown, index) => {
    const where = `${param}.${index}`;
    if (typeof prompt[0] === "string" && typeof item === "string") {
      return toText(item, where, addSpecialTokens);
    }
    if (Array.isArray(prompt[0]) && Array.isArray(item)) return toTokens(item, where);
    if (index === 0) throw malformedValue(where, item, "a text, a token id or a list of token ids");
    throw malformedValue(where, item, `of the same kind as the first one (${accepted})`);
  });
}
