/** `run` with the real gateway and app. Kept apart so that `run` can be tested without them. */
import { createApp } from "../app.ts";
import type { Config } from "../config.ts";
import { createGateway } from "../gateway.ts";
import { run } from "./run.ts";
import type { Platform } from "./types.ts";

/** Serves until a signal; resolves with the exit code. */
export const serve = (platform: Platform, config: Config): Promise<number> =>
  run(platform, config, { createGateway, createApp });
