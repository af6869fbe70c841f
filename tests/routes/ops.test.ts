import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { VERSION } from "../../src/contract/version.ts";
import { createDocsPage } from "../../src/dashboard/docs-page.ts";
import { escapeHtml, toBlocksHtml } from "../../src/dashboard/escape.ts";
import { DASHBOARD_SCRIPT } from "../../src/dashboard/script.ts";
import { createHttpApp } from "../support/http-app.ts";

describe("operations", () => {
  test("/livez answers whatever the replicas do", async () => {
    const app = createHttpApp({ over: { fleet: { readiness: () => ({ ready: false, reason: "x", servers: [] }) } } });
    assert.equal((await app.request("/livez")).status, 200);
  });

  test("/readyz says why not, per replica", async () => {
    const servers = [{ id: "vllm-0", state: "unreachable", reason: "refused" }];
    const app = createHttpApp({
      over: { fleet: { readiness: () => ({ ready: false, reason: "No replica can serve.", servers }) } },
    });
    const response = await app.request("/readyz");
    assert.equal(response.status, 503);
    assert.deepEqual(await response.json(), { ready: false, reason: "No replica can serve.", servers });
    assert.equal((await createHttpApp().request("/readyz")).status, 200);
  });

  test("/version is the package's, and has vLLM's field", async () => {
    const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
    assert.equal(VERSION, manifest.version);
    const body = (await (await createHttpApp().request("/version")).json()) as Record<string, unknown>;
    assert.equal(body.version, VERSION);
    assert.equal(body.name, "tidegate");
    assert.equal(body.weight_version, 7);
  });

  test("/metrics is Prometheus text", async () => {
    const response = await createHttpApp().request("/metrics");
    assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert.match(await response.text(), /^# HELP /);
  });

  test("HEAD answers as GET without a body", async () => {
    const response = await createHttpApp().request("/livez", { method: "HEAD" });
    assert.equal(response.status, 200);
    assert.equal(await response.text(), "");
  });
});

describe("pages", () => {
  for (const path of ["/", "/docs"]) {
    test(`${path} runs only its own script and style, and loads nothing`, async () => {
      const response = await createHttpApp().request(path);
      const html = await response.text();
      const policy = response.headers.get("content-security-policy") ?? "";
      const nonce = /'nonce-([0-9a-f]+)'/.exec(policy)?.[1];
      assert.ok(nonce);
      assert.match(policy, /default-src 'none'/);
      assert.ok(!policy.includes("unsafe"));
      const tags = html.match(/<(?:script|style)[^>]*>/g) ?? [];
      assert.ok(tags.length > 0);
      for (const tag of tags) assert.ok(tag.includes(`nonce="${nonce}"`), tag);
      assert.ok(!/(?:src|href)="(?:https?:)?\/\//.test(html));
      assert.ok(!/ (?:style|on[a-z]+)="/.test(html), "inline style or handler");
    });
  }

  test("JSON answers carry no page headers", async () => {
    const response = await createHttpApp().request("/api/fleet");
    assert.equal(response.headers.get("content-security-policy"), null);
  });

  test("the dashboard's script parses, and reads no data as HTML", () => {
    assert.doesNotThrow(() => new Function(DASHBOARD_SCRIPT));
    assert.ok(!/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/.test(DASHBOARD_SCRIPT));
    assert.ok(!DASHBOARD_SCRIPT.includes("</script"));
  });

  test("the documentation shows every operation", async () => {
    const app = createHttpApp();
    const html = await (await app.request("/docs")).text();
    const document = (await (await app.request("/openapi.json")).json()) as { paths: Record<string, object> };
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const operation of Object.values(methods) as { operationId: string }[]) {
        assert.ok(html.includes(`<article id="${operation.operationId}">`), path);
      }
    }
  });

  test("the documentation escapes what it shows", () => {
    const evil = `"><script>alert(1)</script>`;
    const { html } = createDocsPage({
      openapi: "3.1.0",
      info: { title: evil, version: evil, description: evil },
      tags: [{ name: evil, description: evil }],
      paths: {
        [evil]: {
          get: {
            tags: [evil],
            operationId: evil,
            summary: evil,
            description: `\`${evil}\``,
            parameters: [{ name: evil, in: "query", description: evil, schema: { type: evil, format: evil } }],
            responses: {
              [evil]: {
                description: evil,
                content: { [evil]: { schema: { enum: [evil] }, example: { [evil]: evil } } },
              },
            },
          },
        },
      },
      components: { schemas: { [evil]: { description: evil, properties: { [evil]: { description: evil } } } } },
    });
    assert.ok(!html.includes("<script"));
    assert.ok(html.includes("&lt;script&gt;"));
  });

  test("the small Markdown: code, paragraphs, tables", () => {
    assert.equal(escapeHtml(`<a href='x'>&"`), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
    assert.equal(toBlocksHtml("a `<b>`\n\nc"), "<p>a <code>&lt;b&gt;</code></p>\n<p>c</p>");
    assert.match(toBlocksHtml("| a | b |\n|---|---|\n| 1 | 2 |"), /<th>a<\/th>.*<td>2<\/td>/);
  });
});
