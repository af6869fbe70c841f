/** The two event feeds: of the whole fleet, and of one weight sync. */
import { createRoute, z } from "@hono/zod-openapi";
import { FleetEvent } from "../../src/contract/control/fleet.ts";
import { SyncId } from "../../src/contract/ids.ts";
import { GatewayError } from "../../src/errors.ts";
import { asIs, defineRoute } from "../../src/http/define-route.ts";
import { toEventFeed } from "../../src/http/event-feed.ts";
import { problems } from "../../src/http/problem-responses.ts";
import { sseResponse } from "../../src/http/sse.ts";
import { EVENT_EXAMPLE } from "./examples.ts";

const FORM =
  "Each event has an `id` that counts from 1 on this connection, an `event` name (`fleet`, `server` or `sync`) and one JSON object as `data`. Comments come every 15 s while nothing happens.";

const eventStream = {
  "text/event-stream": {
    schema: z.string().meta({ description: "Server-sent events whose `data` is a FleetEvent." }),
    example: EVENT_EXAMPLE,
  },
};

export const streamEvents = defineRoute({
  route: createRoute({
    method: "get",
    path: "/api/events",
    operationId: "streamEvents",
    tags: ["control"],
    summary: "Follow the fleet",
    description: `The present state first, then every change of a replica, of the published weights or of a weight sync. ${FORM} Ends with the request's deadline; ask again then.`,
    responses: { 200: { description: "The feed.", content: eventStream } },
  }),
  scope: "read",
  handler: (c) => {
    const { fleet, ports } = c.get("gateway");
    const feed = toEventFeed((signal) => fleet.events(signal), { signal: c.get("signal"), clock: ports.clock });
    return asIs(sseResponse(feed, new Headers()));
  },
});

export const streamWeightSyncEvents = defineRoute({
  route: createRoute({
    method: "get",
    path: "/api/weight-syncs/{id}/events",
    operationId: "streamWeightSyncEvents",
    tags: ["weights"],
    summary: "Follow a weight sync",
    description: `The sync as it is, then every change, phase and bytes per replica. Ends after the final state. ${FORM}`,
    request: { params: z.object({ id: SyncId }) },
    responses: {
      200: { description: "The feed.", content: eventStream },
      ...problems(
        ["invalid_value", 'id must be in the format regex, got "7".', { param: "id" }],
        ["not_found", "No weight sync is called ws_0. GET /api/weight-syncs lists them.", { param: "id" }],
      ),
    },
  }),
  scope: "read",
  handler: async (c) => {
    const { id } = c.req.valid("param");
    const { syncs, ports } = c.get("gateway");
    if ((await syncs.look(id)) === undefined) {
      throw new GatewayError("not_found", `No weight sync is called ${id}. GET /api/weight-syncs lists them.`, {
        param: "id",
      });
    }
    const feed = toEventFeed((signal) => syncs.events(id, signal), { signal: c.get("signal"), clock: ports.clock });
    return asIs(sseResponse(feed, new Headers()));
  },
});

/** What the `data` of an event is; listed in the document's components. */
export const FEED_SCHEMAS = { FleetEvent };
