/** Offload plans for model directories of the gateway's machine. Only headers are read; the fleet is not touched. */
import type { Gateway } from "../gateway-types.ts";
import { createOffloadPlan } from "../offload/plan.ts";
import type { Ports } from "../ports.ts";

/** Creates the operation. */
export const createOffloadPlans = (ports: Ports): Gateway["offloadPlans"] => ({
  create: async (request) => (await createOffloadPlan(ports.files, request)).plan,
});
