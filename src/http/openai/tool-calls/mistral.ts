/**
 * Tool calls as Mistral's models write them, after `[TOOL_CALLS]`: a JSON array of `{"name": …, "arguments": …}`, one such
 * object, or, from tokenizer version 11 on, `name[ARGS]{…}` and `name{…}`, each after a mark of its own. Format: vLLM 0.32,
 * `parser/mistral.py`.
 */
import { toShortCallId } from "./call-id.ts";
import { CallObject } from "./call-object.ts";
import { Held } from "./held.ts";
import { Pieces } from "./pieces.ts";
import type { ToolCallReader, ToolFormat } from "./types.ts";

const MARK = "[TOOL_CALLS]";
const ARGUMENTS = "[ARGS]";
const SPACE = /^\s$/;
/** Functions have names like this; anything else is text. */
const NAME = /^[a-zA-Z0-9_.:-]*$/;

/** What is read now: text, what follows the mark, a name, an object, what stands between objects. */
type Place = "content" | "head" | "name" | "object" | "between";

class MistralReader implements ToolCallReader {
  readonly #pieces = new Pieces();
  readonly #held = new Held([MARK]);
  #place: Place = "content";
  /** From the mark on, until it is certain that this is a call. */
  #head = "";
  #name = "";
  #array = false;
  #call = new CallObject([]);
  #told = false;
  /** Arguments alone, after a name; read as those of an object with a name. */
  #bare = false;

  push(text: string): ReturnType<ToolCallReader["push"]> {
    for (const character of text) this.#read(character);
    return this.#pieces.take();
  }

  finish(): ReturnType<ToolCallReader["finish"]> {
    if (this.#place !== "content" && !this.#told) {
      this.#pieces.content(this.#head + (this.#place === "object" && !this.#bare ? this.#call.raw : ""));
    }
    this.#pieces.content(this.#held.take());
    this.#pieces.end();
    return this.#pieces.take();
  }

  #read(character: string): void {
    switch (this.#place) {
      case "content": {
        const { text, mark } = this.#held.push(character);
        this.#pieces.content(text);
        if (mark !== undefined) this.#begin();
        return;
      }
      case "head":
        this.#afterMark(character);
        return;
      case "name":
        this.#inName(character);
        return;
      case "object":
        this.#object(character);
        return;
      case "between":
        this.#between(character);
    }
  }

  #begin(): void {
    this.#place = "head";
    this.#head = MARK;
    this.#array = false;
    this.#name = "";
    this.#told = false;
    this.#bare = false;
  }

  #giveUp(character: string): void {
    this.#pieces.content(this.#head);
    this.#place = "content";
    this.#read(character);
  }

  #open(character: string): void {
    this.#call = new CallObject(["arguments"]);
    this.#place = "object";
    this.#object(character);
  }

  #afterMark(character: string): void {
    if (character === "{") {
      this.#open(character);
    } else if (SPACE.test(character) || (character === "[" && !this.#array)) {
      this.#head += character;
      if (character === "[") this.#array = true;
    } else if (!this.#array && NAME.test(character)) {
      this.#place = "name";
      this.#inName(character);
    } else this.#giveUp(character);
  }

  #inName(character: string): void {
    const tail = this.#name.indexOf("[");
    if (tail < 0 && NAME.test(character)) this.#name += character;
    else if (character === "{" && (tail < 0 || this.#name.endsWith(ARGUMENTS))) {
      this.#pieces.call(tail < 0 ? this.#name : this.#name.slice(0, tail));
      this.#told = true;
      this.#bare = true;
      this.#call = new CallObject(["arguments"]);
      for (const one of '{"name":"_","arguments":') this.#call.push(one);
      this.#place = "object";
      this.#object(character);
      return;
    } else if (ARGUMENTS.startsWith((tail < 0 ? "" : this.#name.slice(tail)) + character)) this.#name += character;
    else if (!(SPACE.test(character) && this.#name.endsWith(ARGUMENTS))) {
      this.#giveUp(character);
      return;
    }
    this.#head += character;
  }

  #object(character: string): void {
    const step = this.#call.push(character);
    if (!this.#told && this.#call.ready) {
      this.#told = true;
      this.#pieces.call(this.#call.name ?? "");
    }
    if (this.#told) this.#pieces.arguments(this.#call.takeArguments());
    if (this.#bare && this.#call.settled) {
      this.#place = "between";
      return;
    }
    if (step === "more") return;
    if (this.#told) {
      this.#place = "between";
      return;
    }
    this.#head += this.#call.raw.slice(0, -character.length);
    this.#giveUp(character);
  }

  /** After a call: further ones in the array, or another mark. */
  #between(character: string): void {
    if (this.#array && character === "{") {
      this.#told = false;
      this.#head = "";
      this.#open(character);
      return;
    }
    if (this.#held.push(character).mark !== undefined) this.#begin();
  }
}

/** See the head of the file. */
export const MISTRAL: ToolFormat = {
  open: () => new MistralReader(),
  makeId: toShortCallId,
  toTag(functions, { least, single }) {
    const calls = functions.map(({ name, schema }) => ({
      type: "tag",
      begin: `{"name": ${JSON.stringify(name)}, "arguments": `,
      content: { type: "json_schema", json_schema: schema },
      end: "}",
    }));
    const list = {
      type: "tags_with_separator",
      tags: calls,
      separator: ", ",
      at_least_one: true,
      stop_after_first: single,
    };
    const tags = [
      { type: "tag", begin: `${MARK} [`, content: list, end: "]" },
      { type: "tag", begin: `${MARK}[`, content: list, end: "]" },
    ];
    if (least === 0) return { type: "triggered_tags", triggers: [MARK], tags, stop_after_first: true };
    return { type: "or", elements: tags };
  },
};
