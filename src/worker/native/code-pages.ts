/**
 * The pages of programs and libraries that this process has mapped: half of what a worker takes, most of it used once, at
 * the start. They are clean copies of files, so they can be given back at any time and come again when they are used.
 */
import process from "node:process";
import { openLibc } from "./mapping.ts";

const MADV_DONTNEED = 4;
/** Smaller ones are not worth the call. */
const LEAST_BYTES = 2 ** 20;

interface Range {
  readonly base: bigint;
  readonly bytes: number;
}

const HEAD = /^([0-9a-f]+)-([0-9a-f]+) r-[x-]p [0-9a-f]+ \S+ \d+\s+(\/.*)$/;

/**
 * Ranges of `/proc/self/smaps` that hold a file's own bytes and nothing else. One with a page of its own (an address that
 * the linker wrote) is left out: that page could not come again.
 */
export function toCleanRanges(smaps: string): readonly Range[] {
  const ranges: Range[] = [];
  let open: Range | null = null;
  for (const line of smaps.split("\n")) {
    const head = HEAD.exec(line);
    if (head !== null || /^[0-9a-f]+-/.test(line)) {
      const base = BigInt(`0x${head?.[1] ?? "0"}`);
      open = head === null ? null : { base, bytes: Number(BigInt(`0x${head[2]}`) - base) };
    } else if (open !== null && line.startsWith("Anonymous:")) {
      if (/^Anonymous:\s+0 kB/.test(line) && open.bytes >= LEAST_BYTES) ranges.push(open);
      open = null;
    }
  }
  return ranges;
}

/** Bytes that are read at a time; a process of ours has some hundred KiB of lines. */
const READ_BYTES = 2 ** 16;
/** More than this is not read: a limit, not a size that anything has. */
const SMAPS_LIMIT = 2 ** 26;

/** This process's own map. Through the C library: Deno opens files of /proc only for programs that may do everything. */
function readSmaps(): string {
  const { open, read, close } = openLibc();
  const file = open(new TextEncoder().encode("/proc/self/smaps\0"), 0) as number;
  if (file < 0) return "";
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(READ_BYTES);
  let text = "";
  try {
    while (text.length < SMAPS_LIMIT) {
      const got = Number(read(file, buffer, READ_BYTES));
      if (got <= 0) break;
      text += decoder.decode(buffer.subarray(0, got), { stream: true });
    }
  } finally {
    close(file);
  }
  return text;
}

/** Gives back the memory of code that nobody has used since the last time. Does nothing elsewhere than on Linux. */
export function dropCodePages(): void {
  if (process.platform !== "linux") return;
  const { madvise } = openLibc();
  for (const { base, bytes } of toCleanRanges(readSmaps())) {
    madvise(base, bytes, MADV_DONTNEED);
  }
}
