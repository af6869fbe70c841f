/** The behavioural suite on the runtime that runs this file: `bun test`, `node --test`, `deno test`. */
import { dataPlane } from "./data-plane.ts";
import { embedded } from "./embedded.ts";
import { startHere } from "./start.ts";

const name = "Bun" in globalThis ? "Bun" : "Deno" in globalThis ? "Deno" : "Node";

dataPlane(name, startHere);
embedded(name, startHere);
