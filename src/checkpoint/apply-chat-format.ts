/** Open, set up, save: the chat format as one operation on directories, for the HTTP route and the command line. */
import type { ChatFormatRequest, ChatFormatResult } from "../contract/control/chat-formats.ts";
import type { DirectoryFiles } from "../ports.ts";
import { CHATML, SPECIAL_TOKENS, setupChatFormat, specialTokenIds } from "./chat-format.ts";
import { openPretrained, rowsOf } from "./pretrained.ts";
import { type SaveOptions, savePretrained } from "./save.ts";

/**
 * Does what `POST /api/chat-formats` says.
 *
 * @throws GatewayError; then nothing of the output is there.
 */
export async function applyChatFormat(
  files: DirectoryFiles,
  request: ChatFormatRequest,
  options: SaveOptions,
): Promise<ChatFormatResult> {
  const opened = await openPretrained(files, request.model);
  const [model, tokenizer] = setupChatFormat(opened.model, opened.tokenizer, {
    format: request.format,
    resizeToMultipleOf: request.resize_to_multiple_of,
    seed: request.seed,
  });
  const saved = await savePretrained(model, tokenizer, request.output, options);
  return {
    format: request.format,
    output: saved.directory,
    special_tokens: { ...SPECIAL_TOKENS },
    token_ids: specialTokenIds(tokenizer),
    tokens: tokenizer.vocabulary.length,
    embedding_rows: { before: rowsOf(opened.model), after: rowsOf(model) },
    chat_template: CHATML,
    files: [...saved.files],
  };
}
