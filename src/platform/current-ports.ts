/** The ports of the runtime that runs us, for the library: found out on use, so that a browser never loads them. */
import type { Ports } from "../ports.ts";

let ports: Promise<Ports> | undefined;

async function create(): Promise<Ports> {
  if ("Bun" in globalThis) return (await import("./bun.ts")).platform.createPorts();
  if ("Deno" in globalThis) return (await import("./deno.ts")).platform.createPorts();
  return (await import("./node.ts")).platform.createPorts();
}

/** Made once. Rejects where there are no processes (browser, edge). */
export function currentPorts(): Promise<Ports> {
  ports ??= create();
  return ports;
}
