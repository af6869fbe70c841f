/** Conversations in OpenAI's form, as types. */

/** One message of a conversation, in OpenAI's form. */
export interface ClientMessage {
  readonly role: string;
  readonly content?: unknown;
  readonly [field: string]: unknown;
}

/** As OpenAI's: may, must or must not tools be called, or which one. */
export type ToolChoice =
  | "none"
  | "auto"
  | "required"
  | { readonly type: "function"; readonly function: { readonly name: string } };
