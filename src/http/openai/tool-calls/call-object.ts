/**
 * Reads one call written as a JSON object, such as `{"name": "add", "arguments": {"a": 1}}`, character by character. Keys may
 * come in any order; brackets and quotes within strings and values mislead it as little as further keys do. It finds the
 * arguments and does not judge them.
 */

/** "ready": name and the beginning of the arguments are known now. */
export type CallStep = "more" | "done" | "broken";

type State = "open" | "key-or-end" | "key" | "in-key" | "colon" | "value" | "string" | "container" | "scalar" | "after";

const isSpace = (character: string): boolean =>
  character === " " || character === "\n" || character === "\t" || character === "\r";

export class CallObject {
  readonly #argumentKeys: ReadonlySet<string>;
  #state: State = "open";
  /** Depth within the value that is being read. */
  #depth = 0;
  #quoted = false;
  #escaped = false;
  #key = "";
  #value = "";
  #inArguments = false;
  #found = false;
  #pending = "";
  /** Everything so far, for a caller that must take it back. */
  raw = "";
  name: string | undefined;

  /** @param argumentKeys names under which models write the arguments; the first one that comes counts */
  constructor(argumentKeys: readonly string[]) {
    this.#argumentKeys = new Set(argumentKeys);
  }

  /** Is it certainly a call? Then its name may be told, and its arguments as they come. */
  get ready(): boolean {
    return this.name !== undefined && this.#found;
  }

  /** A value has just ended, or the object has. */
  get settled(): boolean {
    return this.#state === "after";
  }

  /** Arguments that were not taken yet. */
  takeArguments(): string {
    const text = this.#pending;
    this.#pending = "";
    return text;
  }

  push(character: string): CallStep {
    // Once it is a call, what it looked like is not asked for any more.
    if (!this.ready) this.raw += character;
    if (this.#state === "string" || this.#state === "container") return this.#inside(character);
    if (this.#state === "in-key") return this.#inKey(character);
    if (this.#state === "scalar") {
      if (character !== "," && character !== "}" && !isSpace(character)) return this.#take(character);
      this.#endValue();
    }
    if (isSpace(character)) return "more";
    return this.#sign(character);
  }

  #sign(character: string): CallStep {
    switch (this.#state) {
      case "open":
        if (character !== "{") return "broken";
        this.#state = "key-or-end";
        return "more";
      case "key-or-end":
      case "key":
        if (character !== '"') return "broken";
        this.#key = "";
        this.#state = "in-key";
        return "more";
      case "colon":
        if (character !== ":") return "broken";
        this.#state = "value";
        return "more";
      case "value":
        return this.#beginValue(character);
      default:
        if (character === ",") {
          this.#state = "key";
          return "more";
        }
        return character === "}" && this.ready ? "done" : "broken";
    }
  }

  #inKey(character: string): CallStep {
    if (character === '"' && !this.#escaped) this.#state = "colon";
    else this.#key += character;
    this.#escaped = character === "\\" && !this.#escaped;
    return "more";
  }

  #beginValue(character: string): CallStep {
    if (",:}]".includes(character)) return "broken";
    this.#value = "";
    this.#inArguments = !this.#found && this.#argumentKeys.has(this.#key);
    if (this.#inArguments) this.#found = true;
    this.#depth = 0;
    this.#escaped = false;
    this.#quoted = character === '"';
    this.#state = this.#quoted ? "string" : character === "{" || character === "[" ? "container" : "scalar";
    if (this.#state === "container") this.#depth = 1;
    return this.#take(character);
  }

  #take(character: string): CallStep {
    if (this.#inArguments) this.#pending += character;
    else if (this.#key === "name") this.#value += character;
    return "more";
  }

  #inside(character: string): CallStep {
    this.#take(character);
    if (this.#quoted) {
      if (this.#escaped) this.#escaped = false;
      else if (character === "\\") this.#escaped = true;
      else if (character === '"') {
        this.#quoted = false;
        if (this.#state === "string") return this.#endValue();
      }
      return "more";
    }
    if (character === '"') this.#quoted = true;
    else if (character === "{" || character === "[") this.#depth += 1;
    else if (character === "}" || character === "]") {
      this.#depth -= 1;
      if (this.#depth === 0) return this.#endValue();
    }
    return "more";
  }

  #endValue(): CallStep {
    const wasName = !this.#inArguments && this.#key === "name" && this.name === undefined;
    this.#state = "after";
    this.#inArguments = false;
    if (!wasName) return "more";
    try {
      const name: unknown = JSON.parse(this.#value);
      if (typeof name !== "string" || name === "") return "broken";
      this.name = name;
    } catch {
      return "broken";
    }
    return "more";
  }
}
