/** TRL's routes, trailing slashes included, in document order. */
import type { AnyRoute } from "../../src/http/define-route.ts";
import {
  trlBatchUpdateNamedParams,
  trlCloseCommunicator,
  trlInitCommunicator,
  trlUpdateNamedParam,
} from "./communicator.ts";
import { trlChat, trlGenerate } from "./generate.ts";
import { trlSequenceLogprobs } from "./sequence-logprobs.ts";
import { trlGetTensorParallelSize, trlGetWorldSize, trlHealth, trlResetPrefixCache } from "./server.ts";

export const trlRoutes: readonly AnyRoute[] = [
  trlHealth,
  trlGetWorldSize,
  trlGetTensorParallelSize,
  trlGenerate,
  trlChat,
  trlSequenceLogprobs,
  trlInitCommunicator,
  trlUpdateNamedParam,
  trlBatchUpdateNamedParams,
  trlResetPrefixCache,
  trlCloseCommunicator,
];
