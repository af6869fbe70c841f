/**
 * Gathers what a reader of tool calls says: neighbours are joined, calls numbered. Content after the first call is dropped,
 * and white space alone before it, as in vLLM 0.32 (`DelegatingParser`).
 */
import type { ToolPiece } from "./types.ts";

export class Pieces {
  #out: ToolPiece[] = [];
  /** White space at the beginning, until it is known what follows. */
  #space: string | null = "";
  #calls = 0;

  content(text: string): void {
    if (text === "" || this.#calls > 0) return;
    if (this.#space !== null) {
      this.#space += text;
      if (this.#space.trim() === "") return;
      const whole = this.#space;
      this.#space = null;
      this.#add(whole);
      return;
    }
    this.#add(text);
  }

  #add(text: string): void {
    const last = this.#out.at(-1);
    if (last?.kind === "content") this.#out[this.#out.length - 1] = { kind: "content", text: last.text + text };
    else this.#out.push({ kind: "content", text });
  }

  call(name: string): void {
    this.#space = null;
    this.#out.push({ kind: "call", index: this.#calls, name });
    this.#calls += 1;
  }

  /** More arguments of the last call. */
  arguments(text: string): void {
    if (text === "") return;
    const index = this.#calls - 1;
    const last = this.#out.at(-1);
    if (last?.kind !== "arguments") this.#out.push({ kind: "arguments", index, text });
    else this.#out[this.#out.length - 1] = { kind: "arguments", index, text: last.text + text };
  }

  /** Everything since the last time. */
  take(): readonly ToolPiece[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }

  /** The text has ended. */
  end(): void {
    if (this.#space === null || this.#space === "") return;
    const whole = this.#space;
    this.#space = null;
    this.#add(whole);
  }
}
