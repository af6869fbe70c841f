/** `GET /api/fleet`: everything about the fleet in one object. */
import { createRoute } from "@hono/zod-openapi";
import { Fleet } from "../../src/contract/control/fleet.ts";
import { defineRoute } from "../../src/http/define-route.ts";
import { FLEET_EXAMPLE } from "./examples.ts";

export const getFleet = defineRoute({
  route: createRoute({
    method: "get",
    path: "/api/fleet",
    operationId: "getFleet",
    tags: ["control"],
    summary: "The fleet as one object",
    description: "State of the fleet, the weights that it serves, its replicas and the weight sync that runs, if any.",
    responses: {
      200: {
        description: "The fleet now.",
        content: { "application/json": { schema: Fleet, example: FLEET_EXAMPLE } },
      },
    },
  }),
  scope: "read",
  handler: (c) => c.json(c.get("gateway").fleet.snapshot(), 200),
});
