/** `GET /api/audit`: who changed which weights when. Append-only: there is no route that writes or removes entries. */
import { createRoute } from "@hono/zod-openapi";
import { AuditList } from "../../src/contract/control/fleet.ts";
import { PageQuery } from "../../src/contract/control/paging.ts";
import { defineRoute } from "../../src/http/define-route.ts";
import { problems } from "../../src/http/problem-responses.ts";
import { AUDIT_EXAMPLE } from "./examples.ts";
import { toPage } from "./page.ts";

export const listAudit = defineRoute({
  route: createRoute({
    method: "get",
    path: "/api/audit",
    operationId: "listAudit",
    tags: ["control"],
    summary: "Audit log",
    description: "Every call that could change weights, the newest first. `after` takes a `request_id`.",
    request: { query: PageQuery },
    responses: {
      200: {
        description: "Entries.",
        content: { "application/json": { schema: AuditList, example: { entries: [AUDIT_EXAMPLE] } } },
      },
      ...problems(["invalid_value", 'limit must be at most 1000, got "5000".', { param: "limit" }]),
    },
  }),
  scope: "admin",
  handler: (c) => c.json({ entries: [...c.get("gateway").audit.list(toPage(c.req.valid("query")))] }, 200),
});
