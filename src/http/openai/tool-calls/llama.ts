/**
 * Tool calls as Llama 3 and 4 write them: `{"name": …, "parameters": …}` as JSON, several separated by "; ", maybe after
 * `<|python_tag|>`. Format: vLLM 0.32, `llama_tool_parser.py`, and its library's structural tag `llama`.
 */
import { toCallId } from "./call-id.ts";
import { CallObject } from "./call-object.ts";
import { Held } from "./held.ts";
import { Pieces } from "./pieces.ts";
import type { ToolCallReader, ToolFormat } from "./types.ts";

const MARK = "<|python_tag|>";

class LlamaReader implements ToolCallReader {
  readonly #pieces = new Pieces();
  readonly #held = new Held([MARK]);
  /** The mark, until it is known whether a call follows. */
  #head = "";
  #call: CallObject | undefined;
  #told = false;

  push(text: string): ReturnType<ToolCallReader["push"]> {
    for (const character of text) this.#read(character);
    return this.#pieces.take();
  }

  finish(): ReturnType<ToolCallReader["finish"]> {
    if (!this.#told) this.#pieces.content(this.#head + (this.#call?.raw ?? ""));
    if (this.#call === undefined) this.#pieces.content(this.#held.take());
    this.#pieces.end();
    return this.#pieces.take();
  }

  #read(character: string): void {
    if (this.#call !== undefined) {
      this.#inside(this.#call, character);
      return;
    }
    if (character === "{") {
      this.#text(this.#held.take());
      this.#call = new CallObject(["parameters", "arguments"]);
      this.#told = false;
      this.#inside(this.#call, character);
      return;
    }
    const { text, mark } = this.#held.push(character);
    this.#text(text);
    if (mark === undefined) return;
    this.#pieces.content(this.#head);
    this.#head = mark;
  }

  /** Text that belongs to no call; a mark before it is text, too. White space may stand between mark and call. */
  #text(text: string): void {
    if (text === "" && this.#head === "") return;
    if (this.#head !== "" && text.trim() === "") {
      this.#head += text;
      return;
    }
    this.#pieces.content(this.#head + text);
    this.#head = "";
  }

  #inside(call: CallObject, character: string): void {
    const step = call.push(character);
    if (!this.#told && call.ready) {
      this.#told = true;
      this.#head = "";
      this.#pieces.call(call.name ?? "");
    }
    if (this.#told) this.#pieces.arguments(call.takeArguments());
    if (step === "more") return;
    this.#call = undefined;
    if (this.#told) {
      this.#told = false;
      return;
    }
    // The last character may begin a call of its own.
    this.#pieces.content(this.#head + call.raw.slice(0, -character.length));
    this.#head = "";
    this.#read(character);
  }
}

/** See the head of the file. */
export const LLAMA: ToolFormat = {
  open: () => new LlamaReader(),
  makeId: toCallId,
  toTag(functions, { least, single }) {
    const tags = functions.map(({ name, schema }) => ({
      type: "tag",
      begin: `{"name": ${JSON.stringify(name)}, "parameters": `,
      content: { type: "json_schema", json_schema: schema },
      end: "}",
    }));
    if (least === 0) return { type: "triggered_tags", triggers: ['{"name": '], tags, stop_after_first: single };
    return { type: "tags_with_separator", tags, separator: "; ", at_least_one: true, stop_after_first: single };
  },
};
