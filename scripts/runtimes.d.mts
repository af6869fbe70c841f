/** Types of `runtimes.mjs`, which is plain JavaScript because it runs before anything is installed. */

/** The repository, as a `file:` URL that ends in a slash. */
export const ROOT: URL;
/** Which runtime runs this very script. */
export const HOST: "bun" | "deno" | "node";
type Runtime = "bun" | "deno" | "node" | "workerd";

/** Path of a pinned runtime, or undefined when there is none for this machine. */
export function findRuntime(name: Runtime): string | undefined;
/** Like `findRuntime`; throws where there is none. */
export function binaryOf(name: Runtime): string;
