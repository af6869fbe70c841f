/** How far a worker's weights are read, as log lines: often enough to see that it goes on, seldom enough to be read. */
import type { Logger } from "../../observe/log.ts";
import type { Clock } from "../../ports.ts";
import type { StageProgress } from "../engine.ts";

/** Milliseconds between two lines. */
const INTERVAL = 2000;

/** Hands every report on, and logs the first, the last and some between. */
export function createLoadLog(
  log: Pick<Logger, "info">,
  clock: Pick<Clock, "monotonic">,
  then: (progress: StageProgress) => void,
): (progress: StageProgress) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (progress) => {
    then(progress);
    const { bytesDone, bytesTotal } = progress;
    const now = clock.monotonic();
    const whole = bytesDone >= bytesTotal;
    if (!whole && now - last < INTERVAL) return;
    last = now;
    log.info(whole ? "weights are read, compiling" : "loading weights", {
      bytes_done: bytesDone,
      bytes_total: bytesTotal,
    });
  };
}
