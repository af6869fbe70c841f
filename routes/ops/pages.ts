/** What people open in a browser: the dashboard, the documentation; and the document that both the latter and clients read. */
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenApiDocument } from "../../src/contract/openapi.ts";
import { createDocsPage } from "../../src/dashboard/docs-page.ts";
import { DASHBOARD_PAGE } from "../../src/dashboard/page.ts";
import { asIs, defineRoute } from "../../src/http/define-route.ts";
import { htmlResponse } from "../../src/http/html.ts";

const tags = ["operations"];
const html = { "text/html": { schema: z.string(), example: "<!doctype html>\n<title>Tidegate</title>\n" } };

export const getDashboard = defineRoute({
  route: createRoute({
    method: "get",
    path: "/",
    operationId: "getDashboard",
    tags,
    summary: "Dashboard",
    description: "A page that follows `/api/events`. It asks for an API key when the gateway has keys.",
    responses: { 200: { description: "The page.", content: html } },
  }),
  scope: null,
  handler: (c) => asIs(htmlResponse(DASHBOARD_PAGE, c.get("gateway").ports.random)),
});

/** One rendering per document: it never changes while the process runs. */
const rendered = new WeakMap<OpenApiDocument, { readonly json: string; page?: ReturnType<typeof createDocsPage> }>();

function renderings(document: OpenApiDocument): { readonly json: string; page?: ReturnType<typeof createDocsPage> } {
  let found = rendered.get(document);
  if (found === undefined) {
    found = { json: JSON.stringify(document) };
    rendered.set(document, found);
  }
  return found;
}

export const getOpenApi = defineRoute({
  route: createRoute({
    method: "get",
    path: "/openapi.json",
    operationId: "getOpenApi",
    tags,
    summary: "This document",
    responses: {
      200: {
        description: "OpenAPI 3.1.",
        content: {
          "application/json": {
            schema: z.record(z.string(), z.unknown()),
            example: { openapi: "3.1.0", info: { title: "Tidegate", version: "0.1.0" }, paths: {} },
          },
        },
      },
    },
  }),
  scope: null,
  handler: (c) => asIs(c.body(renderings(c.get("document")()).json, 200, { "content-type": "application/json" })),
});

export const getDocs = defineRoute({
  route: createRoute({
    method: "get",
    path: "/docs",
    operationId: "getDocs",
    tags,
    summary: "This document, for people",
    description: "Rendered by the gateway; works without a network.",
    responses: { 200: { description: "The page.", content: html } },
  }),
  scope: null,
  handler: (c) => {
    const document = c.get("document")();
    const entry = renderings(document);
    entry.page ??= createDocsPage(document);
    return asIs(htmlResponse(entry.page, c.get("gateway").ports.random));
  },
});
