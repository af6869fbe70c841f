/**
 * The runtime's own `fetch` without its hidden limits: Node's gives up after 300 seconds without an answer, Bun's after
 * 300 idle seconds. A long generation or sync ends at the caller's deadline instead. Imports nothing of a runtime.
 */

type Dispatcher = new (options: { headersTimeout: number; bodyTimeout: number }) => object;

/** Where undici, the HTTP client inside Node, keeps its dispatcher; part of its contract between versions. */
const UNDICI = Symbol.for("undici.globalDispatcher.1");

let patient: object | undefined;

/** A dispatcher of the same class as Node's own, which waits for as long as the signal does; undefined elsewhere. */
function nodeDispatcher(): object | undefined {
  if (patient !== undefined) return patient;
  // Node loads undici at the first use of one of its classes.
  void new Request("http://127.0.0.1/");
  const current = (globalThis as Record<symbol, unknown>)[UNDICI];
  // Somebody who set a dispatcher of their own, such as a proxy, wants it used.
  if (typeof current !== "object" || current === null || current.constructor.name !== "Agent") return undefined;
  patient = new (current.constructor as Dispatcher)({ headersTimeout: 0, bodyTimeout: 0 });
  return patient;
}

/** `fetch`, ended by its signal and by nothing else. */
export const patientFetch: typeof globalThis.fetch = Object.assign(
  (input: Parameters<typeof fetch>[0], init?: RequestInit) => {
    const dispatcher = nodeDispatcher();
    const extra = { timeout: false, ...(dispatcher === undefined ? {} : { dispatcher }) };
    return globalThis.fetch(input, { ...init, ...extra } as RequestInit);
  },
  { preconnect: () => undefined },
) as typeof globalThis.fetch;
