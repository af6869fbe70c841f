/** `GET /version`: what runs here. vLLM's clients read the field `version`. */
import { createRoute } from "@hono/zod-openapi";
import { VersionInfo } from "../../src/contract/control/ops.ts";
import { VERSION } from "../../src/contract/version.ts";
import { defineRoute } from "../../src/http/define-route.ts";

export const getVersion = defineRoute({
  route: createRoute({
    method: "get",
    path: "/version",
    operationId: "getVersion",
    tags: ["operations"],
    summary: "Version of the gateway and of the weights",
    responses: {
      200: {
        description: "Versions.",
        content: {
          "application/json": {
            schema: VersionInfo,
            example: {
              version: VERSION,
              name: "tidegate",
              runtime: "bun 1.4.5",
              weight_version: 3,
              weight_digest: null,
            },
          },
        },
      },
    },
  }),
  scope: null,
  handler: (c) => {
    const { fleet, ports } = c.get("gateway");
    const { weight_version, weight_digest } = fleet.snapshot();
    return c.json(
      { version: VERSION, name: "tidegate" as const, runtime: ports.runtime, weight_version, weight_digest },
      200,
    );
  },
});
