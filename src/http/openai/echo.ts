/** Completions' `echo`: the prompt's text and positions, asked from the tokenizer where the engine did not say them. */
import type { PromptEvent } from "../collect.ts";
import type { EchoPosition } from "./logprobs.ts";

/** Token ids → text, by the model's own tokenizer. */
export type Detokenize = (tokenIds: readonly number[]) => Promise<string>;

export interface Echo {
  readonly text: string;
  /** Empty unless logprobs were asked for. */
  readonly positions: readonly EchoPosition[];
}

/**
 * Text and positions of one prompt. The text is what was sent, or the tokens' own for token ids; where the answer
 * carries token ids there is none, as in vLLM: the prompt is in `prompt_token_ids`.
 */
export async function toEcho(
  prompt: PromptEvent,
  detokenize: Detokenize,
  { tokenIds }: { readonly tokenIds: boolean },
): Promise<Echo> {
  const text = tokenIds ? "" : (prompt.text ?? (await detokenize(prompt.tokenIds)));
  if (prompt.logprobs === undefined) return { text, positions: [] };
  const positions = await Promise.all(
    prompt.logprobs.map(async (entry, index): Promise<EchoPosition> => {
      if (entry !== null) return entry;
      const tokenId = prompt.tokenIds[index] ?? 0;
      return { tokenId, token: await detokenize([tokenId]), top: null };
    }),
  );
  return { text, positions };
}
