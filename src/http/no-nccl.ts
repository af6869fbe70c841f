/** The one refusal of every call that would need an NCCL group, with the way that works. */
import { GatewayError } from "../errors.ts";

/** `unsupported` (400) for what can never work here, `conflict` (409) for what lacks its group. */
export function refuseNccl(call: string, code: "unsupported" | "conflict" = "conflict"): never {
  throw new GatewayError(
    code,
    `${call} needs an NCCL group, and the replicas here have none: embedded replicas take weights over HTTP. ` +
      "Use POST /api/weight-syncs (or `tidegate sync DIR`) instead.",
  );
}
