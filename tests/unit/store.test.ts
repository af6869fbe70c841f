import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryStore } from "../../src/store/memory.ts";
import { openStore } from "../../src/store/open.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { describeStore } from "./cases/store.ts";

describeStore("memory", async () => {
  const clock = createManualClock();
  return { store: createMemoryStore(clock), pass: clock.advance };
});

test("openStore: memory; what is not there yet is refused without showing the address", () => {
  const ports = { clock: createManualClock() };
  assert.ok(openStore("memory", ports));
  assert.throws(
    () => openStore("redis:redis://user:secret@host", ports),
    (error: Error) => {
      assert.match(error.message, /--store redis: is not supported.*memory/);
      assert.ok(!error.message.includes("secret"));
      return true;
    },
  );
});
