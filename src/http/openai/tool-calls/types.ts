/** What parsers of tool calls take and give. Types only. */

/** A piece of an answer, in the order of its text. */
export type ToolPiece =
  | { readonly kind: "content"; readonly text: string }
  /** A call begins; its name is whole. Calls are numbered from 0. */
  | { readonly kind: "call"; readonly index: number; readonly name: string }
  /** More of the arguments' JSON text. */
  | { readonly kind: "arguments"; readonly index: number; readonly text: string };

/**
 * Reads the text of one sample, in pieces of any size: what comes out of all of them together depends on the text alone.
 * Text that only begins like a call is content.
 */
export interface ToolCallReader {
  /** What the next characters let be said. */
  push(text: string): readonly ToolPiece[];
  /** What was held back; nothing may be pushed after it. */
  finish(): readonly ToolPiece[];
}

/** A function that may be called, as the request has it. */
export interface ToolFunction {
  readonly name: string;
  /** Its arguments as a JSON schema; null = any object. */
  readonly parameters: unknown;
  /** Are arguments held to the schema? null = the request does not say. */
  readonly strict: boolean | null;
}

/** What ids are made of: the port `Random`. */
export interface RandomParts {
  uuid(): string;
  float(): number;
}

/** A format in which a model writes tool calls. */
export interface ToolFormat {
  open(): ToolCallReader;
  /** An id for a call. */
  makeId(random: RandomParts): string;
  /**
   * Texts with such calls, as the `format` of a structural tag. `schemas`: what the arguments of each function are to be.
   */
  toTag(
    functions: readonly { readonly name: string; readonly schema: unknown }[],
    shape: { readonly least: 0 | 1; readonly single: boolean },
  ): Record<string, unknown>;
}
