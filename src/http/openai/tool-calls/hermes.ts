/**
 * Tool calls as Hermes, Qwen 2.5 and Qwen 3 write them: `<tool_call>{"name": …, "arguments": …}</tool_call>`, any number of
 * them after the content. Format and what is content: vLLM 0.32, `hermes_tool_parser.py`, `structural_tag_registry.py`.
 */
import { toCallId } from "./call-id.ts";
import { CallObject } from "./call-object.ts";
import { Held } from "./held.ts";
import { Pieces } from "./pieces.ts";
import type { ToolCallReader, ToolFormat } from "./types.ts";

const OPEN = "<tool_call>";
const CLOSE = "</tool_call>";
const SPACE = /^\s$/;

/** What is read now: text, what stands between the tag and the object, the object, what follows it. */
type Place = "content" | "head" | "object" | "tail";

class HermesReader implements ToolCallReader {
  readonly #pieces = new Pieces();
  #place: Place = "content";
  readonly #tag = new Held([OPEN]);
  readonly #tags = new Held([OPEN, CLOSE]);
  /** From the tag on, until it is certain that this is a call. */
  #head = "";
  #call = new CallObject([]);
  #told = false;

  push(text: string): ReturnType<ToolCallReader["push"]> {
    for (const character of text) this.#read(character);
    return this.#pieces.take();
  }

  finish(): ReturnType<ToolCallReader["finish"]> {
    if (this.#place === "content") this.#pieces.content(this.#tag.take());
    else if (this.#place === "head" || (this.#place === "object" && !this.#told)) {
      this.#pieces.content(this.#head + this.#call.raw);
    }
    this.#pieces.end();
    return this.#pieces.take();
  }

  #read(character: string): void {
    switch (this.#place) {
      case "content": {
        const { text, mark } = this.#tag.push(character);
        this.#pieces.content(text);
        if (mark !== undefined) this.#begin();
        return;
      }
      case "head":
        if (SPACE.test(character)) {
          this.#head += character;
          return;
        }
        this.#place = "object";
        this.#object(character);
        return;
      case "object":
        this.#object(character);
        return;
      case "tail": {
        const { mark } = this.#tags.push(character);
        if (mark === CLOSE) this.#place = "content";
        else if (mark !== undefined) this.#begin();
      }
    }
  }

  #begin(): void {
    this.#head = OPEN;
    this.#call = new CallObject(["arguments"]);
    this.#told = false;
    this.#place = "head";
  }

  #object(character: string): void {
    const step = this.#call.push(character);
    if (!this.#told && this.#call.ready) {
      this.#told = true;
      this.#pieces.call(this.#call.name ?? "");
    }
    if (this.#told) this.#pieces.arguments(this.#call.takeArguments());
    if (step === "more") return;
    if (this.#told) {
      this.#place = "tail";
      return;
    }
    // The last character may begin a tag of its own.
    this.#pieces.content(this.#head + this.#call.raw.slice(0, -character.length));
    this.#place = "content";
    this.#read(character);
  }
}

/** See the head of the file. */
export const HERMES: ToolFormat = {
  open: () => new HermesReader(),
  makeId: toCallId,
  toTag(functions, { least, single }) {
    const tags = functions.flatMap(({ name, schema }) =>
      [
        [`${OPEN}\n{"name": `, `}\n${CLOSE}`],
        [`${OPEN}{"name": `, `}${CLOSE}`],
      ].map(([begin, end]) => ({
        type: "tag",
        begin: `${begin}${JSON.stringify(name)}, "arguments": `,
        content: { type: "json_schema", json_schema: schema },
        end,
      })),
    );
    if (least === 0) return { type: "triggered_tags", triggers: [OPEN], tags, stop_after_first: single };
    return { type: "tags_with_separator", tags, separator: "", at_least_one: true, stop_after_first: single };
  },
};
