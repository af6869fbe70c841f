/** Finds a mark in text that comes character by character; what may be its beginning is held back. */
export class Held {
  readonly #marks: readonly string[];
  #text = "";

  /** @param marks not empty, none the beginning of another */
  constructor(marks: readonly string[]) {
    this.#marks = marks;
  }

  /** Text that is no mark, and the mark that is complete now. */
  push(character: string): { readonly text: string; readonly mark?: string } {
    this.#text += character;
    let text = "";
    while (!this.#marks.some((mark) => mark.startsWith(this.#text))) {
      const [first = ""] = this.#text;
      text += first;
      this.#text = this.#text.slice(first.length);
    }
    if (!this.#marks.includes(this.#text)) return { text };
    return { text, mark: this.take() };
  }

  /** What is held back. */
  take(): string {
    const text = this.#text;
    this.#text = "";
    return text;
  }
}
