/**
 * What stands in for a tokenizer where none was loaded (`--skip-tokenizer-init`, vLLM's `skip_tokenizer_init`): token ids
 * have no text, and text has no token ids.
 */
import { GatewayError } from "../errors.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** The refusal of everything that needs words. */
export const noTokenizer = (param: string): GatewayError =>
  new GatewayError(
    "unsupported",
    "This server has no tokenizer (it was started with --skip-tokenizer-init): send the prompt as token ids, and read " +
      "token_ids from the answer. Text prompts, messages, stop strings and bad words need a server with one.",
    { param },
  );

/** Every id has empty text; encoding is refused. */
export function createNoTokenizer(): Tokenizer {
  const none = new Uint8Array(0);
  const refuse = (): never => {
    throw noTokenizer("prompt");
  };
  return {
    vocabSize: 0,
    // Tokens are bytes, of which there are none.
    byteLevel: true,
    specialTokens: {},
    encode: refuse,
    encodeWithOffsets: refuse,
    decode: () => "",
    decodeClean: () => "",
    tokenString: () => "",
    tokenBytes: () => none,
    tokenId: () => undefined,
    isSpecial: () => false,
    isLooseByte: () => false,
  };
}
