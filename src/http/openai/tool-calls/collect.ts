/** What a reader of tool calls says → the message of a whole answer, and the deltas of a streamed one, as vLLM 0.32 has them. */
import type { FinishReason } from "../../../contract/generation.ts";
import type { ToolPlan } from "./plan.ts";
import type { RandomParts, ToolCallReader, ToolPiece } from "./types.ts";

interface Call {
  readonly id: string;
  readonly type: "function";
  readonly function: { readonly name: string; arguments: string };
}

/** Calls that are shown: all, or the first. */
const isShown = (plan: ToolPlan, index: number): boolean => index === 0 || !plan.single;

/** `tool_calls` where the model ended such an answer itself; a function that the request named ends with `stop`. */
export const toFinishReason = (plan: ToolPlan, called: boolean, reason: FinishReason): string =>
  called && plan.choice !== "named" && reason === "stop" ? "tool_calls" : reason;

/** `content`, `tool_calls` and the reason for the end, from one sample's whole text. */
export function toCallMessage(
  plan: ToolPlan,
  random: RandomParts,
  text: string,
  reason: FinishReason,
): { readonly content: string | null; readonly calls: readonly Call[]; readonly reason: string } {
  const reader = plan.format.open();
  let content = "";
  const calls: Call[] = [];
  for (const piece of [...reader.push(text), ...reader.finish()]) {
    if (piece.kind === "content") content += piece.text;
    else if (piece.kind === "call") {
      const id = plan.format.makeId(random);
      calls.push({ id, type: "function", function: { name: piece.name, arguments: "" } });
    } else {
      const call = calls[piece.index];
      if (call !== undefined) call.function.arguments += piece.text;
    }
  }
  const empty = plan.choice === "auto" && calls.length > 0 ? null : "";
  return {
    content: content === "" ? empty : content,
    calls: calls.filter((_, index) => isShown(plan, index)),
    reason: toFinishReason(plan, calls.length > 0, reason),
  };
}

/** One sample's deltas. */
export class CallDeltas {
  readonly #plan: ToolPlan;
  readonly #random: RandomParts;
  readonly #reader: ToolCallReader;
  #called = false;

  constructor(plan: ToolPlan, random: RandomParts) {
    this.#plan = plan;
    this.#random = random;
    this.#reader = plan.format.open();
  }

  /** The delta of more text; undefined = nothing to say yet. */
  push(text: string): Record<string, unknown> | undefined {
    return this.#toDelta(this.#reader.push(text));
  }

  /** The delta of the last text with what was held back, and why the sample ended. */
  finish(reason: FinishReason, text = ""): { readonly delta: Record<string, unknown>; readonly reason: string } {
    const delta = this.#toDelta([...this.#reader.push(text), ...this.#reader.finish()]) ?? {};
    return { delta, reason: toFinishReason(this.#plan, this.#called, reason) };
  }

  #toDelta(pieces: readonly ToolPiece[]): Record<string, unknown> | undefined {
    let content: string | null = null;
    const calls: Record<string, unknown>[] = [];
    for (const piece of pieces) {
      if (piece.kind === "content") content = (content ?? "") + piece.text;
      else if (piece.kind === "call") {
        this.#called = true;
        if (!isShown(this.#plan, piece.index)) continue;
        const { index, name } = piece;
        calls.push({ id: this.#plan.format.makeId(this.#random), type: "function", index, function: { name } });
      } else if (isShown(this.#plan, piece.index)) {
        calls.push({ index: piece.index, function: { arguments: piece.text } });
      }
    }
    if (calls.length > 0) return { content, tool_calls: calls };
    return content === null ? undefined : { content };
  }
}
