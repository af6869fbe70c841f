/** The control routes, in document order. */
import type { AnyRoute } from "../../src/http/define-route.ts";
import { listAudit } from "./audit.ts";
import { createChatFormat } from "./chat-formats.ts";
import { streamEvents, streamWeightSyncEvents } from "./events.ts";
import { getFleet } from "./fleet.ts";
import { createOffloadPlan } from "./offload-plans.ts";
import { attachServer, detachServer, getServer, listServers, patchServer } from "./servers.ts";
import { abortWeightSync, dryRunWeightSync, getWeightSync, listWeightSyncs, startWeightSync } from "./weight-syncs.ts";
import { getWeightVersion, listWeightVersions } from "./weight-versions.ts";

export const controlRoutes: readonly AnyRoute[] = [
  getFleet,
  listServers,
  attachServer,
  getServer,
  patchServer,
  detachServer,
  startWeightSync,
  listWeightSyncs,
  dryRunWeightSync,
  getWeightSync,
  abortWeightSync,
  streamWeightSyncEvents,
  listWeightVersions,
  getWeightVersion,
  createChatFormat,
  createOffloadPlan,
  streamEvents,
  listAudit,
];
