/** A model behind a gateway as a value: which client, which id. The trainer's side passes it where Python passes a module. */
import { connectionOf } from "./connection-of.ts";
import type { EdgeClient } from "./edge-client.ts";
import { ServerError } from "./errors.ts";
import { sendJson } from "./http.ts";
import { READING } from "./retry.ts";

/** What `connectModel` gives. */
export interface ServedModel {
  readonly kind: "served";
  readonly client: EdgeClient;
  /** As `/v1/models` has it. */
  readonly id: string;
  /** Its directory on the gateway's machine. */
  readonly root: string;
}

/** True for a model behind a gateway. */
export const isServedModel = (value: unknown): value is ServedModel =>
  typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "served";

const CALL_SECONDS = 60;

/**
 * Binds a model that a gateway serves.
 *
 * @param options.model - Its id; default: the one base model that is served.
 * @throws ServerError when there is no such model, or several to choose from; ConnectionError.
 *
 * @example
 * ```ts
 * import { connectModel } from "./served-model.ts";
 * import { EdgeClient } from "./edge-client.ts";
 * // A stand-in for a gateway, so that this example runs anywhere.
 * const list = { data: [{ id: "tide-nano", root: "/models/tide-nano", parent: null }] };
 * const fetch = (async () => Response.json(list)) as unknown as typeof globalThis.fetch;
 * const model = await connectModel(new EdgeClient({ fetch }));
 * if (model.id !== "tide-nano") throw new Error(model.id);
 * ```
 */
export async function connectModel(
  client: EdgeClient,
  options: { readonly model?: string; readonly signal?: AbortSignal } = {},
): Promise<ServedModel> {
  const { json } = await sendJson(connectionOf(client), "/v1/models", {
    method: "GET",
    seconds: CALL_SECONDS,
    signal: options.signal,
    retry: [READING],
  });
  const { data = [] } = json as { data?: readonly { id: string; root?: string | null; parent?: string | null }[] };
  const url = `${client.baseUrl}/v1/models`;
  const names = data.map(({ id }) => id).join(", ") || "none";
  const bases = data.filter(({ parent }) => (parent ?? null) === null);
  if (options.model === undefined && bases.length !== 1) {
    throw new ServerError(url, 200, `${url} lists ${names}; say which model is meant.`);
  }
  const found = options.model === undefined ? bases[0] : data.find(({ id }) => id === options.model);
  if (found === undefined) throw new ServerError(url, 200, `${url} has no model ${options.model}; it lists ${names}.`);
  return { kind: "served", client, id: found.id, root: found.root ?? found.id };
}
