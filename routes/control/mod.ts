/** The control routes, in document order. */
import type { AnyRoute } from "../../src/http/define-route.ts";
import { listAudit } from "./audit.ts";
import { createChatFormat } from "./chat-formats.ts";
import { streamEvents, streamWeightSyncEvents } from "./events.ts";
import { getFleet } from "./fleet.ts";
import {
  createGenerationLease,
  getGenerationLease,
  listGenerationLeases,
  releaseGenerationLease,
  renewGenerationLease,
} from "./generation-leases.ts";
import { createOffloadPlan } from "./offload-plans.ts";
import { refitServer } from "./refit-server.ts";
import { getModelResidency, putModelResidency } from "./residency.ts";
import { attachServer, detachServer, getServer, listServers, patchServer } from "./servers.ts";
import { abortWeightSync, dryRunWeightSync, getWeightSync, listWeightSyncs, startWeightSync } from "./weight-syncs.ts";
import { fetchWeightFile, listWeightFiles } from "./weight-tensors.ts";
import { getWeightVersion, listWeightVersions } from "./weight-versions.ts";

export const controlRoutes: readonly AnyRoute[] = [
  getFleet,
  listServers,
  attachServer,
  getServer,
  patchServer,
  detachServer,
  refitServer,
  startWeightSync,
  listWeightSyncs,
  dryRunWeightSync,
  getWeightSync,
  abortWeightSync,
  streamWeightSyncEvents,
  listWeightFiles,
  fetchWeightFile,
  listWeightVersions,
  getWeightVersion,
  createChatFormat,
  createOffloadPlan,
  getModelResidency,
  putModelResidency,
  createGenerationLease,
  listGenerationLeases,
  getGenerationLease,
  renewGenerationLease,
  releaseGenerationLease,
  streamEvents,
  listAudit,
];
