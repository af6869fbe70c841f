/** vLLM's own routes, in document order. */
import type { AnyRoute } from "../../src/http/define-route.ts";
import { resetPrefixCache } from "./cache.ts";
import { health, load, ping, pingPost } from "./health.ts";
import { loadLoraAdapter, unloadLoraAdapter } from "./lora.ts";
import { abortRequests, isPaused, pause, resume } from "./pause.ts";
import { getServerInfo, getWorldSize } from "./server.ts";
import { isSleeping, sleep, wakeUp } from "./sleep.ts";
import {
  finishWeightUpdate,
  getWeightInfo,
  initWeightTransferEngine,
  shutdownWeightTransferEngine,
  startWeightUpdate,
  updateWeights,
  updateWeightVersion,
} from "./weights.ts";

export const vllmRoutes: readonly AnyRoute[] = [
  health,
  ping,
  pingPost,
  load,
  getWorldSize,
  getServerInfo,
  pause,
  resume,
  isPaused,
  abortRequests,
  resetPrefixCache,
  sleep,
  wakeUp,
  isSleeping,
  initWeightTransferEngine,
  startWeightUpdate,
  updateWeights,
  finishWeightUpdate,
  shutdownWeightTransferEngine,
  updateWeightVersion,
  getWeightInfo,
  loadLoraAdapter,
  unloadLoraAdapter,
];
