/**
 * The routes as an OpenAPI 3.1 document. Pure: the same routes give the same bytes on every runtime. The app serves
 * what this returns, `generate.ts` writes it down, clients are generated from it.
 */
import { OpenAPIHono } from "@hono/zod-openapi";
import type { OpenApiDocument } from "../src/contract/openapi.ts";
import { SCOPES } from "../src/contract/scopes.ts";
import { VERSION } from "../src/contract/version.ts";
import { ERROR_CODES } from "../src/errors.ts";
import type { AnyRoute } from "../src/http/define-route.ts";
import { describeCodes, withCommonErrors } from "./common-errors.ts";
import { keepReachable, registerNamedSchemas } from "./components.ts";
import { fillExamples } from "./fill-examples.ts";
import { normalizeSchemas } from "./normalize.ts";
import { shareExamples } from "./share-examples.ts";

const DESCRIPTION = `One URL, N servers, one trusted weight version: the HTTP gateway between reinforcement-learning trainers and the servers that sample for them.

Every answer carries \`x-request-id\`; answers that hold generated tokens carry \`x-weight-version\`, \`x-weight-digest\` and \`x-served-by\`. Every call may send \`x-request-id\` (letters, digits, \`._:/+=-\`, up to 128) and \`x-request-timeout\` (seconds).

Errors have one body per dialect: OpenAI's on \`/v1\`, FastAPI's on the routes of TRL, RFC 9457 problem details on our own. The codes are a closed list:

${describeCodes()}

Calls that change weights never answer 500, 502 or 503, since clients repeat those.`;

/** `identifier` is new in OpenAPI 3.1; the types of the generator know only 3.0's `url`. */
const LICENSE: { readonly name: string; readonly identifier: string } = {
  name: "Apache-2.0",
  identifier: "Apache-2.0",
};

const TAGS: readonly { readonly name: string; readonly description: string }[] = [
  { name: "OpenAI", description: "Generation as OpenAI and vLLM spell it." },
  { name: "vLLM", description: "vLLM's routes for reinforcement learning, over all replicas at once." },
  { name: "TRL", description: "The routes of `trl vllm-serve`, trailing slashes included." },
  { name: "weights", description: "Weight versions and weight syncs." },
  { name: "control", description: "The fleet, its replicas, events and the audit log." },
  { name: "operations", description: "Health, metrics, version and pages for people." },
];

const SECURITY_SCHEME = {
  type: "http",
  scheme: "bearer",
  description: `An API key. Scopes: ${SCOPES.map((scope) => `\`${scope}\``).join(", ")}. A gateway without keys asks for none.`,
} as const;

/** One property of a schema in the making; `x-error-code` marks where our closed list belongs. */
type Node = { [key: string]: unknown };

/** Puts the closed list of codes in one component and points every marked property to it. */
function nameErrorCodes(node: unknown): void {
  if (typeof node !== "object" || node === null) return;
  for (const [key, value] of Object.entries(node as Node)) {
    if (typeof value === "object" && value !== null && (value as Node)["x-error-code"] === true) {
      (node as Node)[key] = { $ref: "#/components/schemas/ErrorCode" };
    } else nameErrorCodes(value);
  }
}

/**
 * Builds the document.
 *
 * @param routes - In document order; see `routes/mod.ts`.
 * @returns A fresh plain object; callers may keep it.
 */
export function buildDocument(routes: readonly AnyRoute[]): OpenApiDocument {
  const { openAPIRegistry: registry, ...app } = collect(routes);
  registry.registerComponent("securitySchemes", "bearer", SECURITY_SCHEME);
  const used = new Set(routes.flatMap(({ route }) => route.tags ?? []));
  const generated = app.generate({
    openapi: "3.1.0",
    info: {
      title: "Tidegate",
      version: VERSION,
      description: DESCRIPTION,
      license: LICENSE,
    },
    servers: [{ url: "http://127.0.0.1:8000", description: "Where `npm start` listens." }],
    tags: TAGS.filter(({ name }) => used.has(name)).map((tag) => ({ ...tag })),
  });
  // A copy: the generator hands out the very objects that the routes are made of.
  const document = JSON.parse(JSON.stringify(generated)) as Node;
  normalizeSchemas(document);
  nameErrorCodes(document);
  const { components, paths } = document as { components: Node & { schemas: Node }; paths: Node };
  components.schemas.ErrorCode = {
    type: "string",
    enum: Object.keys(ERROR_CODES),
    description:
      "The closed list of error codes. Status and whether a repeat can help: see the document's description.",
  };
  // Events are text to OpenAPI; their schema is listed all the same, for whoever reads a feed.
  const event = { $ref: "#/components/schemas/FleetEvent" };
  components.schemas = keepReachable(components.schemas, paths, event);
  fillExamples(paths, components.schemas);
  components.examples = sortKeys(shareExamples(paths));
  return document as unknown as OpenApiDocument;
}

const sortKeys = (node: Node): Node => Object.fromEntries(Object.entries(node).sort(([a], [b]) => (a < b ? -1 : 1)));

function collect(routes: readonly AnyRoute[]) {
  const app = new OpenAPIHono();
  registerNamedSchemas(app.openAPIRegistry);
  for (const route of routes) {
    app.openAPIRegistry.registerPath({
      ...route.route,
      responses: withCommonErrors(route),
      security: route.scope === null ? [] : [{ bearer: [route.scope] }],
    });
  }
  return {
    openAPIRegistry: app.openAPIRegistry,
    generate: (head: Parameters<typeof app.getOpenAPI31Document>[0]) => app.getOpenAPI31Document(head),
  };
}
