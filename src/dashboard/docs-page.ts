/**
 * The OpenAPI document as one readable page: no script, no network, every operation with parameters, examples and
 * errors. Pure: document in, page out.
 */
import type {
  OpenApiDocument,
  OpenApiExample,
  OpenApiMedia,
  OpenApiOperation,
  OpenApiParameter,
  OpenApiResponse,
  OpenApiSchema,
} from "../contract/openapi.ts";
import { type HtmlPage, NONCE } from "../http/html.ts";
import { escapeHtml, toBlocksHtml, toInlineHtml } from "./escape.ts";
import { BASE_STYLE, DOCS_STYLE } from "./style.ts";

interface Entry {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly operation: OpenApiOperation;
}

type Resolve = (example: OpenApiExample) => unknown;

const REFERENCE = /^#\/components\/schemas\/([A-Za-z0-9_.-]+)$/;

/** A schema in a few words: `array of Server`, `string (date-time) or null`. */
function toTypeHtml(schema: OpenApiSchema | undefined): string {
  if (schema === undefined) return "";
  const name = schema.$ref === undefined ? undefined : REFERENCE.exec(schema.$ref)?.[1];
  if (name !== undefined) return `<a href="#schema-${name}">${name}</a>`;
  for (const keyword of ["oneOf", "anyOf", "allOf"]) {
    const parts = schema[keyword];
    if (Array.isArray(parts))
      return parts.map((part: OpenApiSchema) => toTypeHtml(part)).join(keyword === "allOf" ? " and " : " or ");
  }
  if (schema.enum !== undefined)
    return schema.enum.map((value) => `<code>${escapeHtml(JSON.stringify(value))}</code>`).join(" or ");
  const type = [schema.type ?? "any"].flat().join(" or ");
  if (schema.items !== undefined) return `${escapeHtml(type)} of ${toTypeHtml(schema.items)}`;
  const format = typeof schema.format === "string" ? ` (${schema.format})` : "";
  return escapeHtml(type + format);
}

function toParametersHtml(parameters: readonly OpenApiParameter[] | undefined): string {
  if (parameters === undefined || parameters.length === 0) return "";
  const rows = parameters.map(
    ({ name, in: place, required, description, schema }) =>
      `<tr><td><code>${escapeHtml(name)}</code></td><td>${place}${required === true ? ", required" : ""}</td><td>${toTypeHtml(schema)}</td><td>${toInlineHtml(description ?? schema?.description ?? "")}</td></tr>`,
  );
  return `<h4>Parameters</h4><div class="scroll"><table><tbody>${rows.join("")}</tbody></table></div>`;
}

const toText = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

function toMediaHtml(type: string, media: OpenApiMedia, resolve: Resolve): string {
  const examples =
    media.examples === undefined
      ? media.example === undefined
        ? []
        : [media.example]
      : Object.values(media.examples).map(resolve);
  const shown = examples.map((example) => `<pre><code>${escapeHtml(toText(example))}</code></pre>`).join("");
  return `<p><code>${escapeHtml(type)}</code> ${toTypeHtml(media.schema)}</p>${shown}`;
}

const toContentHtml = (content: Readonly<Record<string, OpenApiMedia>> | undefined, resolve: Resolve): string =>
  Object.entries(content ?? {})
    .map(([type, media]) => toMediaHtml(type, media, resolve))
    .join("");

const toResponseHtml = (status: string, response: OpenApiResponse, resolve: Resolve): string =>
  `<details><summary><span class="status">${escapeHtml(status)}</span>${toInlineHtml(response.description)}</summary>${toContentHtml(response.content, resolve)}</details>`;

function toOperationHtml({ id, method, path, operation }: Entry, resolve: Resolve): string {
  const scope = operation.security?.[0]?.bearer?.join(", ");
  const body = operation.requestBody;
  return `<article id="${id}">
<h3><span class="method">${method.toUpperCase()}</span><span class="path">${escapeHtml(path)}</span><span class="scope">${scope === undefined ? "public" : `scope ${escapeHtml(scope)}`}</span></h3>
<p><strong>${toInlineHtml(operation.summary ?? "")}</strong></p>
${operation.description === undefined ? "" : toBlocksHtml(operation.description)}
${toParametersHtml(operation.parameters)}
${body === undefined ? "" : `<h4>Body</h4>${toContentHtml(body.content, resolve)}`}
<h4>Answers</h4>
${Object.entries(operation.responses)
  .map(([status, response]) => toResponseHtml(status, response, resolve))
  .join("")}
</article>`;
}

function toSchemaHtml(name: string, schema: OpenApiSchema): string {
  const rows = Object.entries(schema.properties ?? {}).map(
    ([field, type]) =>
      `<tr><td><code>${escapeHtml(field)}</code></td><td>${schema.required?.includes(field) === true ? "always" : "may be absent"}</td><td>${toTypeHtml(type)}</td><td>${toInlineHtml(type.description ?? "")}</td></tr>`,
  );
  const table =
    rows.length === 0
      ? `<p>${toTypeHtml(schema)}</p>`
      : `<div class="scroll"><table><tbody>${rows.join("")}</tbody></table></div>`;
  return `<article id="schema-${escapeHtml(name)}"><h3 class="path">${escapeHtml(name)}</h3>${schema.description === undefined ? "" : toBlocksHtml(schema.description)}${table}</article>`;
}

function toEntries(document: OpenApiDocument): Entry[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      id: escapeHtml(operation.operationId ?? `${method}-${path}`),
      method,
      path,
      operation,
    })),
  );
}

/** Renders the page; `GET /docs` keeps it. */
export function createDocsPage(document: OpenApiDocument): HtmlPage {
  const shared = document.components?.examples ?? {};
  const resolve: Resolve = ({ $ref, value }) =>
    $ref === undefined ? value : shared[$ref.split("/").at(-1) ?? ""]?.value;
  const entries = toEntries(document);
  const groups = (document.tags ?? []).map((tag) => ({
    ...tag,
    entries: entries.filter(({ operation }) => operation.tags?.includes(tag.name) === true),
  }));
  const links = groups.map(
    ({ name, entries: own }) =>
      `<h2>${escapeHtml(name)}</h2><ul>${own.map(({ id, method, path }) => `<li><a href="#${id}"><span class="method">${method.toUpperCase()}</span> ${escapeHtml(path)}</a></li>`).join("")}</ul>`,
  );
  const sections = groups.map(
    ({ name, description, entries: own }) =>
      `<section><h2>${escapeHtml(name)}</h2>${toBlocksHtml(description ?? "")}${own.map((entry) => toOperationHtml(entry, resolve)).join("")}</section>`,
  );
  const schemas = Object.entries(document.components?.schemas ?? {}).map(([name, schema]) =>
    toSchemaHtml(name, schema),
  );
  return {
    html: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(document.info.title)} API</title>
<link rel="icon" href="data:,">
<style nonce="${NONCE}">${BASE_STYLE}${DOCS_STYLE}</style>
</head>
<body>
<div class="layout">
<nav class="side"><a href="/">Dashboard</a><a href="/openapi.json">openapi.json</a>${links.join("")}<h2>Schemas</h2><ul><li><a href="#schemas">All schemas</a></li></ul></nav>
<main>
<h1>${escapeHtml(document.info.title)} ${escapeHtml(document.info.version)}</h1>
${toBlocksHtml(document.info.description ?? "")}
${sections.join("\n")}
<section id="schemas"><h2>Schemas</h2>${schemas.join("\n")}</section>
</main>
</div>
</body>
</html>
`,
  };
}
