/** The ports that need nothing but web standards: no files, no processes, no accounting of the process. */
import type { Ports } from "../../ports.ts";
import { identityUnlessAsked } from "./encoding.ts";

/** Builds the ports of workerd. */
export const createEdgePorts = (): Ports => ({
  runtime: "workerd",
  clock: {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    timer(milliseconds, callback) {
      const timer = setTimeout(callback, Math.max(0, milliseconds));
      return { cancel: () => clearTimeout(timer) };
    },
  },
  random: { uuid: () => crypto.randomUUID(), float: () => Math.random() },
  fetch: (url, init) => fetch(url, { redirect: "manual", ...identityUnlessAsked(init) }),
  // biome-ignore lint/suspicious/noConsole: the console is the only log sink of this runtime.
  writeLine: (line) => console.log(line),
});
