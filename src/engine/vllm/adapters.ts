/**
 * LoRA adapters of one vLLM server: `/v1/load_lora_adapter` and `/v1/unload_lora_adapter`, bodies and texts as in vLLM
 * 0.32 (entrypoints/serve/lora, entrypoints/openai/models/serving.py). The routes exist only with
 * VLLM_ALLOW_RUNTIME_LORA_UPDATING=1. Knows nothing of the fleet.
 */
import { GatewayError } from "../../errors.ts";
import type { AdapterTarget, CallOptions } from "../engine.ts";
import type { Client } from "./client.ts";
import { readUpstreamError } from "./faults.ts";

/** A server says so where the name is taken, and where it is too old for `load_inplace`, which it then overlooks. */
const TAKEN = "has already been loaded";
const LOAD = "/v1/load_lora_adapter";
const UNLOAD = "/v1/unload_lora_adapter";
/** More than any server has slots for. */
const LIST_LIMIT = 10_000;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

/** Creates it; nothing is sent before the first call. */
export function createAdapters(client: Client): AdapterTarget {
  const send = (path: string, json: object, { signal }: CallOptions) =>
    client.answer(path, { method: "POST", json, signal, once: true });

  function refuse(path: string, status: number, text: string): never {
    const { message } = readUpstreamError(text);
    const upstream = message.slice(0, 500);
    if (status === 404 && message === "Not Found") {
      throw new GatewayError(
        "not_found",
        `The vLLM server at ${client.url} has no ${path}: start it with VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 in its environment and --enable-lora.`,
        { upstream },
      );
    }
    if (status === 404) throw new GatewayError("not_found", `${path} of ${client.url}: ${upstream}`, { upstream });
    const code = status === 400 || status === 422 ? "invalid_value" : "replica_failed";
    throw new GatewayError(code, `${path} of ${client.url} answered ${status}: ${upstream}`, { upstream });
  }

  /** What `/v1/models` lists with a parent. */
  async function list({ signal }: CallOptions): Promise<ReadonlyMap<string, string>> {
    const answer = await client.call("/v1/models", { signal });
    const data = isObject(answer) && Array.isArray(answer.data) ? answer.data.slice(0, LIST_LIMIT) : [];
    const held = new Map<string, string>();
    for (const card of data as unknown[]) {
      if (!isObject(card) || typeof card.id !== "string" || typeof card.parent !== "string") continue;
      held.set(card.id, typeof card.root === "string" ? card.root : "");
    }
    return held;
  }

  /** A 200 of a proxy, or of one of several processes behind the URL, changes nothing: the list must bear it out. */
  async function confirm(route: string, name: string, wanted: string | null, options: CallOptions): Promise<void> {
    const found = (await list(options)).get(name) ?? null;
    // A list that tells no path says at least that it is there.
    if (found === wanted || (found === "" && wanted !== null)) return;
    const told = found === null ? "does not list" : wanted === null ? "still lists" : `lists ${found} for`;
    throw new GatewayError("replica_failed", `${route} of ${client.url} answered 200, but /v1/models ${told} ${name}.`);
  }

  async function unload(name: string, options: CallOptions): Promise<boolean> {
    const { status, text } = await send(UNLOAD, { lora_name: name }, options);
    if (status === 200) {
      await confirm(UNLOAD, name, null, options);
      return true;
    }
    if (status === 404 && readUpstreamError(text).message !== "Not Found") return false;
    return refuse(UNLOAD, status, text);
  }

  return {
    unload,
    async load({ name, path, is3d }, replace, options) {
      const json = {
        lora_name: name,
        lora_path: path,
        ...(replace ? { load_inplace: true } : {}),
        ...(is3d === true ? { is_3d_lora_weight: true } : {}),
      };
      let { status, text } = await send(LOAD, json, options);
      if (replace && status === 400 && text.includes(TAKEN)) {
        await unload(name, options);
        const { load_inplace: _, ...plain } = { load_inplace: false, ...json };
        ({ status, text } = await send(LOAD, plain, options));
      }
      if (status !== 200) refuse(LOAD, status, text);
      await confirm(LOAD, name, path, options);
    },
    list,
  };
}
