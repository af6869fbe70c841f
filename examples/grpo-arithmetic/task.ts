/** The task: sums of two integers from 0 to 99, which of them are held out, how one is asked and how an answer is scored. */
import { readFile } from "node:fs/promises";

export type Sum = readonly [left: number, right: number];

/** ChatML, as the model's own template renders one question. */
export const toPrompt = ([left, right]: Sum): string =>
  `<|im_start|>user\nWhat is ${left} + ${right}?<|im_end|>\n<|im_start|>assistant\n`;

/** 1 when the last integer of the answer is the sum, else 0. */
export function reward([left, right]: Sum, answer: string | null): number {
  const last = answer?.match(/\d+/g)?.at(-1);
  return last !== undefined && Number(last) === left + right ? 1 : 0;
}

/**
 * The held-out sums of tide-nano (`models/train/heldout.json`: its training never saw them, in either order) and all others.
 */
export async function readSums(root: URL): Promise<{ readonly training: Sum[]; readonly heldOut: Sum[] }> {
  const text = await readFile(new URL("models/train/heldout.json", root), "utf8");
  const heldOut: Sum[] = [];
  for (const { question } of JSON.parse(text) as { question: string }[]) {
    const [, left, right] = /^What is (\d+) \+ (\d+)\?$/.exec(question) ?? [];
    if (left !== undefined && right !== undefined) heldOut.push([Number(left), Number(right)]);
  }
  const never = new Set(heldOut.flatMap(([left, right]) => [100 * left + right, 100 * right + left]));
  const training: Sum[] = [];
  for (let code = 0; code < 10_000; code += 1) {
    if (!never.has(code)) training.push([Math.floor(code / 100), code % 100]);
  }
  return { training, heldOut };
}

/** A stream of numbers from 0 to 1 (mulberry32), the same for the same seed everywhere. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A shuffled copy (Fisher and Yates). */
export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const out = [...items];
  for (let index = out.length - 1; index > 0; index -= 1) {
    const other = Math.floor(random() * (index + 1));
    [out[index], out[other]] = [out[other]!, out[index]!];
  }
  return out;
}
