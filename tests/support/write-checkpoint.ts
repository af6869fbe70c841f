/** A process of its own that writes a chat format and is killed by `checkpoint-kill.test.ts`: SOURCE OUT. */
import process from "node:process";
import { setupChatFormat } from "../../src/checkpoint/chat-format.ts";
import { openCheckpoint, saveCheckpoint } from "../../src/platform/checkpoints.ts";

const [source, out] = process.argv.slice(2) as [string, string];
const opened = await openCheckpoint(source);
const [model, tokenizer] = setupChatFormat(opened.model, opened.tokenizer, { resizeToMultipleOf: 64 });
// The parent counts its time from here: loading the program is not what is tested.
process.stdout.write("writing\n");
await saveCheckpoint(model, tokenizer, out);
process.stdout.write("done\n");
