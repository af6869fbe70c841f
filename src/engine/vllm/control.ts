/** vLLM's dev routes as `EngineControl`. They exist only with VLLM_SERVER_DEV_MODE=1; all parameters are query parameters. */
import { GatewayError } from "../../errors.ts";
import type { EngineControl } from "../engine.ts";
import type { Client } from "./client.ts";

/** Creates the controls of one server. */
export function createControl(client: Client): EngineControl {
  async function dev(method: "GET" | "POST", target: string, signal: AbortSignal): Promise<Record<string, unknown>> {
    const answer = await client.callIfThere(target, { method, signal });
    if (answer === undefined) {
      const [path = target] = target.split("?");
      throw new GatewayError(
        "unsupported",
        `The vLLM server at ${client.url} has no ${path}: start it with VLLM_SERVER_DEV_MODE=1 in its environment.`,
      );
    }
    return typeof answer.value === "object" && answer.value !== null ? (answer.value as Record<string, unknown>) : {};
  }

  return {
    async pause(mode, clearCache, { signal }) {
      await dev("POST", `/pause?mode=${mode}&clear_cache=${clearCache}`, signal);
    },
    async resume({ signal }) {
      await dev("POST", "/resume", signal);
    },
    async isPaused({ signal }) {
      return (await dev("GET", "/is_paused", signal)).is_paused === true;
    },
    async resetPrefixCache(resetRunning, { signal }) {
      const query = resetRunning ? "?reset_running_requests=true" : "";
      // Before vLLM 0.26 the answer was empty.
      return (await dev("POST", `/reset_prefix_cache${query}`, signal)).success !== false;
    },
    async sleep(level, { signal, mode }) {
      await dev("POST", `/sleep?level=${level}${mode === undefined ? "" : `&mode=${mode}`}`, signal);
    },
    async wakeUp(tags, { signal }) {
      const query = (tags ?? []).map((tag) => `tags=${encodeURIComponent(tag)}`).join("&");
      await dev("POST", query === "" ? "/wake_up" : `/wake_up?${query}`, signal);
    },
    async isSleeping({ signal }) {
      return (await dev("GET", "/is_sleeping", signal)).is_sleeping === true;
    },
  };
}
