/** Writes received bytes in blocks of 1 MiB: a body arrives in pieces of 64 KiB, and each write is a trip to another thread. */
import { GatewayError } from "../errors.ts";
import type { FileWriter } from "../ports.ts";

const BLOCK_BYTES = 2 ** 20;

/** See the file's head. */
export interface BlockWriter {
  /** Copies what is not written at once; `bytes` may be reused afterwards. */
  write(bytes: Uint8Array): Promise<void>;
  /** Writes what is still held. */
  flush(): Promise<void>;
}

/** Throws GatewayError `sync_failed` when writing fails: it was our disk, the sender is not at fault. */
export function createBlockWriter(writer: FileWriter): BlockWriter {
  const held = new Uint8Array(BLOCK_BYTES);
  let have = 0;
  const put = async (bytes: Uint8Array): Promise<void> => {
    try {
      await writer.write(bytes);
    } catch (cause) {
      throw new GatewayError(
        "sync_failed",
        `The spool directory cannot be written: ${cause instanceof Error ? cause.message : String(cause)}. See --spool-dir.`,
        { phase: "receive", cause },
      );
    }
  };
  const flush = async (): Promise<void> => {
    const bytes = held.subarray(0, have);
    have = 0;
    if (bytes.byteLength > 0) await put(bytes);
  };
  return {
    flush,
    async write(bytes) {
      if (have + bytes.byteLength > BLOCK_BYTES) await flush();
      if (bytes.byteLength >= BLOCK_BYTES) return await put(bytes);
      held.set(bytes, have);
      have += bytes.byteLength;
    },
  };
}
