/** How far a load is: every report handed on, some of them logged. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createLoadLog } from "../../src/engine/embedded/load-log.ts";

test("the first and the last report are logged, and one every two seconds between", () => {
  let now = 0;
  const lines: string[] = [];
  const heard: number[] = [];
  const log = { info: (message: string, fields?: object) => void lines.push(`${message} ${JSON.stringify(fields)}`) };
  const report = createLoadLog(log, { monotonic: () => now }, ({ bytesDone }) => void heard.push(bytesDone));
  for (const [time, bytesDone] of [
    [0, 0],
    [1000, 10],
    [2500, 20],
    [3000, 30],
    [3100, 40],
  ] as const) {
    now = time;
    report({ bytesDone, bytesTotal: 40 });
  }
  assert.deepEqual(heard, [0, 10, 20, 30, 40]);
  assert.deepEqual(lines, [
    'loading weights {"bytes_done":0,"bytes_total":40}',
    'loading weights {"bytes_done":20,"bytes_total":40}',
    'weights are read, compiling {"bytes_done":40,"bytes_total":40}',
  ]);
});
