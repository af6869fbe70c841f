/** `/api/weight-versions`: which weights were served since the start, and how they came. */
import { createRoute, z } from "@hono/zod-openapi";
import { PageQuery } from "../../src/contract/control/paging.ts";
import { WeightVersionList, WeightVersionRecord } from "../../src/contract/control/weight-syncs.ts";
import { GatewayError } from "../../src/errors.ts";
import { defineRoute } from "../../src/http/define-route.ts";
import { problems } from "../../src/http/problem-responses.ts";
import { VERSION_RECORD_EXAMPLE } from "./examples.ts";
import { toPage } from "./page.ts";

const tags = ["weights"];

export const listWeightVersions = defineRoute({
  route: createRoute({
    method: "get",
    path: "/api/weight-versions",
    operationId: "listWeightVersions",
    tags,
    summary: "History of weight versions",
    description: "The newest first. `after` takes a version.",
    request: { query: PageQuery },
    responses: {
      200: {
        description: "Versions.",
        content: {
          "application/json": { schema: WeightVersionList, example: { weight_versions: [VERSION_RECORD_EXAMPLE] } },
        },
      },
      ...problems(["invalid_value", 'limit must be at most 1000, got "5000".', { param: "limit" }]),
    },
  }),
  scope: "read",
  handler: (c) => c.json({ weight_versions: [...c.get("gateway").versions.list(toPage(c.req.valid("query")))] }, 200),
});

export const getWeightVersion = defineRoute({
  route: createRoute({
    method: "get",
    path: "/api/weight-versions/{version}",
    operationId: "getWeightVersion",
    tags,
    summary: "One weight version",
    request: {
      params: z.object({
        version: z.coerce
          .number()
          .int()
          .min(0)
          .max(Number.MAX_SAFE_INTEGER)
          .meta({ description: "The version.", example: 4 }),
      }),
    },
    responses: {
      200: {
        description: "The version.",
        content: { "application/json": { schema: WeightVersionRecord, example: VERSION_RECORD_EXAMPLE } },
      },
      ...problems(
        ["invalid_value", 'version must be a number, got "new".', { param: "version" }],
        [
          "not_found",
          "Weight version 9 was never served here. GET /api/weight-versions lists those that were.",
          { param: "version" },
        ],
      ),
    },
  }),
  scope: "read",
  handler: (c) => {
    const { version } = c.req.valid("param");
    const record = c.get("gateway").versions.get(version);
    if (record === undefined) {
      throw new GatewayError(
        "not_found",
        `Weight version ${version} was never served here. GET /api/weight-versions lists those that were.`,
        { param: "version" },
      );
    }
    return c.json(record, 200);
  },
});
