/** Tokenise and detokenise: short calls to one replica that can. */
import type { Engine } from "../engine/engine.ts";
import { GatewayError } from "../errors.ts";
import type { FleetManager } from "../fleet/fleet.ts";
import type { Gateway } from "../gateway-types.ts";

/** Runs `call` under a lease on a replica whose engine passes. */
async function withReplica<T>(
  fleet: FleetManager,
  model: string | undefined,
  accepts: (engine: Engine) => boolean,
  signal: AbortSignal,
  call: (engine: Engine, maxModelLen: number | null) => Promise<T>,
): Promise<T> {
  const lease = await fleet.acquire({ model, waitMilliseconds: 0, exclude: new Set(), accepts, signal });
  try {
    const models = lease.replica.info?.models ?? [];
    const chosen = models.find(({ id }) => id === model) ?? models[0];
    return await call(lease.replica.engine, chosen?.maxModelLen ?? null);
  } finally {
    lease.release("ok");
  }
}

const unsupported = (what: string): GatewayError => new GatewayError("unsupported", `No replica can ${what}.`);

/** The text half of `Gateway.generation`. */
export function createTextCalls(fleet: FleetManager): Pick<Gateway["generation"], "tokenize" | "detokenize"> {
  return {
    tokenize: (model, prompt, signal) =>
      withReplica(
        fleet,
        model,
        (engine) => engine.tokenize !== undefined,
        signal,
        async (engine, maxModelLen) => {
          if (engine.tokenize === undefined) throw unsupported("tokenize");
          return { ...(await engine.tokenize(prompt, { signal })), maxModelLen };
        },
      ),
    detokenize: (model, tokenIds, signal) =>
      withReplica(
        fleet,
        model,
        (engine) => engine.detokenize !== undefined,
        signal,
        async (engine) => {
          if (engine.detokenize === undefined) throw unsupported("detokenize");
          return engine.detokenize(tokenIds, { signal });
        },
      ),
  };
}
