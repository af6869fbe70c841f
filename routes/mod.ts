/** The table of all routes, in document order. */
import type { AnyRoute } from "../src/http/define-route.ts";
import { controlRoutes } from "./control/mod.ts";
import { openaiRoutes } from "./openai/mod.ts";
import { opsRoutes } from "./ops/mod.ts";
import { trlRoutes } from "./trl/mod.ts";
import { vllmRoutes } from "./vllm/mod.ts";

export const routes: readonly AnyRoute[] = [
  ...openaiRoutes,
  ...trlRoutes,
  ...vllmRoutes,
  ...controlRoutes,
  ...opsRoutes,
];
