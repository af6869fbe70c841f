/** Which mappings hold a file's own bytes and nothing else: only those may be given back. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { dropCodePages, toCleanRanges } from "../../src/worker/native/code-pages.ts";

const mapping = (range: string, rights: string, path: string, anonymous: number): string =>
  `${range} ${rights} 00000000 fe:00 6520979  ${path}\nSize:  2048 kB\nRss:  2048 kB\nAnonymous:  ${anonymous} kB\nVmFlags: rd`;

test("clean code is found; what the linker wrote, what is written to, what is small is left alone", () => {
  const smaps = [
    mapping("400000-600000", "r-xp", "/usr/bin/node", 0),
    mapping("600000-800000", "r--p", "/usr/lib/with relocations.so", 4),
    mapping("800000-a00000", "rw-p", "/usr/bin/node", 0),
    mapping("a00000-a01000", "r-xp", "/usr/lib/small.so", 0),
    mapping("b00000-d00000", "r-xp", "[vdso]", 0),
    mapping("7f0000000000-7f0000200000", "r--p", "/usr/lib/data.so", 0),
  ].join("\n");
  assert.deepEqual(toCleanRanges(smaps), [
    { base: 0x400000n, bytes: 0x200000 },
    { base: 0x7f0000000000n, bytes: 0x200000 },
  ]);
});

test("the process goes on when its own code was given back", { skip: process.platform !== "linux" }, () => {
  assert.ok(toCleanRanges(readFileSync("/proc/self/smaps", "utf8")).length > 0);
  for (let round = 0; round < 20; round++) {
    dropCodePages();
    assert.equal(JSON.stringify([..."abc"].map((letter) => letter.toUpperCase())), '["A","B","C"]');
  }
});
