/** Builds `fake-nccl.c` with the machine's C compiler, once per process; undefined where there is none, or no Linux. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import koffi from "koffi";
import { settleKoffi } from "../../src/worker/native/koffi-settings.ts";

/** What an operation of a rank does wrong; the numbers of `fake-nccl.c`. */
export const FAULT = { none: 0, hang: 1, block: 2, fail: 3, lateFail: 4, die: 5, stuck: 6 } as const;
/** What can leak. */
export const LIVE = { allocations: 0, streams: 1, communicators: 2, registrations: 3 } as const;

/** The built library and its test-only entry points. */
export interface FakeNccl {
  readonly path: string;
  /** Operation 0 is joining, 1 the first sum, 2 the first broadcast. Holds for the next communicator of that rank. */
  fault(rank: number, operation: number, kind: number): void;
  /** How many of a kind are alive. */
  live(what: number): number;
  /** Larger allocations fail as "out of memory". */
  memory(bytes: number): void;
}

/** Compiles into a folder that goes with the process. */
export function buildFakeNccl(): FakeNccl | undefined {
  if (process.platform !== "linux") return undefined;
  const folder = mkdtempSync(join(tmpdir(), "tidegate-fake-nccl-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "libfake-nccl.so");
  const source = fileURLToPath(new URL("fake-nccl.c", import.meta.url));
  // Never unloaded: a test leaves a thread in it that nothing can end.
  const keep = "-Wl,-z,nodelete";
  try {
    execFileSync("cc", [keep, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", path, source, "-lpthread"], {
      stdio: "pipe",
    });
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return undefined;
    throw error;
  }
  settleKoffi();
  const library = koffi.load(path);
  return {
    path,
    fault: library.func("fake_fault", "void", ["int", "int", "int"]),
    live: library.func("fake_live", "int", ["int"]),
    memory: library.func("fake_memory", "void", ["uint64"]),
  };
}
