/**
 * Incremental detokenisation: each new token gives the text that no later token can change. Incomplete UTF-8 is held
 * back; U+FFFD comes out only when it is final. The pieces joined equal `decode` of all ids.
 */
import type { Tokenizer } from "./tokenizer.ts";

export interface Detokenizer {
  /** The text that has become certain with this token; may be empty. */
  push(id: number): string;
  /** What is still held back, at the end of the sequence. Push nothing afterwards. */
  flush(): string;
}

/** A character has at most four bytes, so at most three tokens before it can begin it. */
const PROMPT_TAIL = 4;

/**
 * More tokens than one character can have, byte tokens all of them: what then still ends in U+FFFD is broken for good
 * and need not be held (nor decoded again and again).
 */
const HELD_LIMIT = 16;

/**
 * Loose bytes that are held until their run ends: one that does not fit makes U+FFFD of the whole run, also of what was
 * text until then. Longer runs than this are rare; then they are given out as they stand.
 */
const RUN_LIMIT = 64;

function createByteLevel(tokenizer: Tokenizer, skipSpecial: boolean, promptIds: readonly number[]): Detokenizer {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const push = (id: number): string =>
    skipSpecial && tokenizer.isSpecial(id) ? "" : decoder.decode(tokenizer.tokenBytes(id), { stream: true });
  for (const id of promptIds.slice(-PROMPT_TAIL)) push(id);
  return { push, flush: () => decoder.decode() };
}

/**
 * By decoding a sliding window, as `DecodeStream` of tokenizers does: the text of the ids before gives the prefix, and
 * what comes after it is new. The prompt's tail is the first prefix, so that a leading space is kept or dropped rightly.
 */
function createWindowed(tokenizer: Tokenizer, skipSpecial: boolean, promptIds: readonly number[]): Detokenizer {
  const decode = (ids: readonly number[]): string => tokenizer.decode(ids, skipSpecial);
  let window = promptIds.slice(-PROMPT_TAIL);
  let prefix = decode(window);
  let prefixLength = window.length;
  let run = 0;
  /** Tokens since text was last given out. */
  let held = 0;
  const advance = (text: string): string => {
    const fresh = text.startsWith(prefix) ? text.slice(prefix.length) : text;
    const length = window.length - prefixLength;
    window = window.slice(prefixLength);
    prefix = decode(window);
    prefixLength = length;
    return fresh;
  };
  return {
    push(id) {
      window.push(id);
      held += 1;
      if (!(skipSpecial && tokenizer.isSpecial(id))) run = tokenizer.isLooseByte(id) ? run + 1 : 0;
      if (run > 0 && run < RUN_LIMIT) return "";
      let text = decode(window);
      if (!text.startsWith(prefix)) {
        // Byte tokens that have changed what was given out already: begin anew from this token.
        window = [id];
        prefix = "";
        prefixLength = 0;
        text = decode(window);
      }
      if (text.length <= prefix.length) return "";
      // Nothing of this run is out yet: its last character may still become whole.
      const limit = run > 0 && held >= run ? RUN_LIMIT + HELD_LIMIT : HELD_LIMIT;
      if (text.endsWith("\ufffd") && held < limit) return "";
      held = 0;
      return advance(text);
    },
    flush() {
      const text = decode(window);
      return text.startsWith(prefix) ? text.slice(prefix.length) : "";
    },
  };
}

/**
 * Starts detokenising the output of one sequence. `promptIds` gives the context (its tail is enough): an output that
 * goes on in the middle of a character, or after a word, comes out right.
 */
export function createDetokenizer(
  tokenizer: Tokenizer,
  options: { readonly skipSpecialTokens: boolean; readonly promptIds?: readonly number[] },
): Detokenizer {
  const create = tokenizer.byteLevel ? createByteLevel : createWindowed;
  return create(tokenizer, options.skipSpecialTokens, options.promptIds ?? []);
}
