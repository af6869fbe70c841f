/** The cases of `tests/fixtures/chat-format` (and, where it lies beside the repository, of the whole reference set). */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface RowsExpectation {
  readonly rows_before: number;
  readonly rows_after: number;
  readonly expected_mean?: readonly number[];
  readonly tolerance?: readonly number[];
}

export interface TokenizerState {
  readonly len_tokenizer: number;
  readonly special_ids: { readonly bos: number; readonly eos: number; readonly pad: number };
  readonly chat_template: string;
  readonly embedding_shape: readonly number[];
  readonly encodings: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    readonly ids_with_special: readonly number[];
  }[];
  readonly chat: {
    readonly messages: readonly Readonly<Record<string, unknown>>[];
    readonly text: string;
    readonly ids: readonly number[];
    readonly text_with_prompt: string;
  };
}

export interface ChatFormatCase {
  readonly name: string;
  readonly arguments: { readonly resize_to_multiple_of?: number };
  readonly clear_template_first: boolean;
  readonly before_folder: string;
  readonly after_folder: string;
  readonly before: { readonly tied: boolean };
  readonly expected: {
    readonly after: TokenizerState;
    readonly embedding: RowsExpectation;
    readonly lm_head: RowsExpectation;
  };
}

export interface CaseSet {
  readonly name: string;
  /** Absolute, ends with a slash. */
  readonly root: string;
  readonly cases: readonly ChatFormatCase[];
}

const read = (name: string, relative: string): CaseSet | undefined => {
  const url = new URL(relative, import.meta.url);
  if (!existsSync(url)) return undefined;
  const root = fileURLToPath(url);
  const { cases } = JSON.parse(readFileSync(`${root}cases.json`, "utf8")) as { cases: ChatFormatCase[] };
  return { name, root, cases };
};

export const COMMITTED = read("committed", "../fixtures/chat-format/") as CaseSet;

/** undefined on a machine without the whole set. */
export const REFERENCE = read("reference", "../../../shared/fixtures/reference/chat-format/");
