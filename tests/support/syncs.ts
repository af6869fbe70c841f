/** Weight syncs as the fake gateway answers them, and an app that writes down how they were started. */
import type { StartSync, WeightSync } from "../../src/contract/control/weight-syncs.ts";
import type { Gateway } from "../../src/gateway-types.ts";
import { SYNC } from "./fake-gateway.ts";
import { createHttpApp } from "./http-app.ts";

export const RUNNING: WeightSync = { ...SYNC, state: "running", phase: "stage", digest: null, finished_at: null };
export const FAILED: WeightSync = {
  ...SYNC,
  state: "failed",
  phase: "stage",
  error: {
    code: "weights_shape_mismatch",
    phase: "stage",
    tensor: "lm_head.weight",
    message: "lm_head.weight is [2].",
  },
};
export const DISK = { source: { kind: "disk", path: "/models/next" } };
export const OCTETS = { "content-type": "application/octet-stream" };

export const json = async <T>(response: Response | Promise<Response>): Promise<T> =>
  (await (await response).json()) as T;

export interface ProblemBody {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly param?: string;
  readonly phase?: string;
  readonly tensor?: string;
}

/** An app whose `syncs.start` writes down what it was given. */
export function recordingApp(answer: WeightSync = SYNC, more: Partial<Gateway["syncs"]> = {}) {
  const started: { request: StartSync; by: Parameters<Gateway["syncs"]["start"]>[1]; bytes: number }[] = [];
  const app = createHttpApp({
    over: {
      syncs: {
        start: async (request, by, upload) => {
          let bytes = 0;
          for await (const piece of upload ?? []) bytes += piece.byteLength;
          started.push({ request, by, bytes });
          return answer;
        },
        ...more,
      },
    },
  });
  return { app, started };
}
