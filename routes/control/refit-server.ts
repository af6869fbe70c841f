/** `POST /api/servers/{id}/refit`: bring one replica back to the published weights. */
import { createRoute, z } from "@hono/zod-openapi";
import { Server } from "../../src/contract/control/servers.ts";
import { ReplicaId } from "../../src/contract/ids.ts";
import { GatewayError } from "../../src/errors.ts";
import { defineRoute } from "../../src/http/define-route.ts";
import { problems } from "../../src/http/problem-responses.ts";
import { UPSTREAM_EXAMPLE } from "./examples.ts";

export const refitServer = defineRoute({
  route: createRoute({
    method: "post",
    path: "/api/servers/{id}/refit",
    operationId: "refitServer",
    tags: ["control"],
    summary: "Load the published weights into a replica again",
    description:
      "For a replica that a failed weight sync left quarantined, or whose server was restarted behind its URL. It takes no requests meanwhile. The newest complete weights that the gateway keeps are loaded, the digest is compared where the replica can tell it, one token proves that it lives, and it is `ready`. Answers when that is done; a replica that fails stays quarantined.",
    request: { params: z.object({ id: ReplicaId }) },
    responses: {
      200: { description: "Back.", content: { "application/json": { schema: Server, example: UPSTREAM_EXAMPLE } } },
      ...problems(
        ["invalid_value", 'id must be in the format regex, got "No!".', { param: "id" }],
        ["unsupported", "trl-0 cannot be refitted: it takes no weights through the gateway.", { replica: "trl-0" }],
        ["not_found", "No server is called vllm-7. GET /api/servers lists them.", { param: "id" }],
        ["sync_in_progress", "A weight sync is running; refit when it has ended.", { replica: "vllm-0" }],
        [
          "replica_failed",
          "Could not load weight version 3: /collective_rpc of http://10.0.0.5:8000 answered 500: …",
          { replica: "vllm-0", phase: "refit" },
        ],
      ),
    },
  }),
  scope: "weights",
  handler: async (c) => {
    const { id } = c.req.valid("param");
    const { fleet } = c.get("gateway");
    if (fleet.server(id) === undefined) {
      throw new GatewayError("not_found", `No server is called ${id}. GET /api/servers lists them.`, { param: "id" });
    }
    return c.json(await fleet.refit(id, c.get("signal")), 200);
  },
});
