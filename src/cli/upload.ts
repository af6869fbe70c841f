/** A safetensors file as a request body, read piece by piece. A checkpoint is never held whole. */
import type { Files } from "../ports.ts";
import { UsageError } from "./io.ts";

const PIECE = 2 ** 20;

/** The one safetensors file that stands for `path`: itself, or the only one in the directory. */
async function toFile(files: Files, path: string, shown: string): Promise<string> {
  const found = await files.stat(path);
  if (found === undefined) throw new UsageError(`${shown}: no such file or directory`);
  if (found.kind === "file") return path;
  const names = (await files.list(path)).filter((name) => name.endsWith(".safetensors"));
  if (names.length === 1) return files.resolve(path, names[0]!);
  throw new UsageError(
    `${shown} holds ${names.length} safetensors files and only one can be sent; ` +
      "copy the directory to the gateway's machine and sync it there, or send single files with --partial",
  );
}

/** Opens the stream. `onProgress` gets bytes sent and their total. */
export async function toUpload(
  files: Files,
  path: string,
  shown: string,
  onProgress: (done: number, total: number) => void,
): Promise<ReadableStream<Uint8Array>> {
  const reader = await files.openRead(await toFile(files, path, shown));
  let done = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (done === reader.size) {
          await reader.close();
          controller.close();
          return;
        }
        const piece = await reader.read(done, Math.min(PIECE, reader.size - done));
        done += piece.byteLength;
        onProgress(done, reader.size);
        controller.enqueue(piece);
      },
      cancel: () => reader.close(),
    },
    { highWaterMark: 0 },
  );
}
