/** Who may import whom: the table of `docs/architecture.md` as data, and the rule that walks the imports. */
import { posix } from "node:path";
import ts from "typescript";
import { type Breach, parse, type SourceFiles, walk } from "./source.ts";

/** One room of the house. The first entry whose `files` matches a path is its room. */
interface Room {
  readonly name: string;
  readonly files: RegExp;
  /** Rooms whose files it may import; its own always. */
  readonly rooms: readonly string[];
  /** Packages it may import. "node:" stands for all of Node's own modules. */
  readonly packages: readonly string[];
}

const BASE = ["contract", "lib"];
const COMMON = [...BASE, "common"];
const PURE = [...COMMON, "text", "tensor", "checkpoint", "offload"];
/** Types only: the port of the engines, and the gateway as the HTTP side sees it. */
const PORT = "engine port";
const GATEWAY_TYPES = "gateway types";

/** From the bottom of the house to its top. */
export const ROOMS: readonly Room[] = [
  { name: "contract", files: /^src\/contract\//, rooms: [], packages: ["zod", "@hono/zod-openapi"] },
  { name: "lib", files: /^src\/lib\//, rooms: [], packages: [] },
  {
    name: "common",
    files: /^src\/(errors|ports|config)\.ts$|^src\/observe\//,
    rooms: BASE,
    packages: ["zod"],
  },
  { name: "text", files: /^src\/text\//, rooms: PURE, packages: [] },
  { name: "tensor", files: /^src\/tensor\//, rooms: PURE, packages: [] },
  { name: "checkpoint", files: /^src\/checkpoint\//, rooms: PURE, packages: [] },
  { name: "offload", files: /^src\/offload\//, rooms: PURE, packages: ["yaml"] },
  { name: PORT, files: /^src\/engine\/engine\.ts$/, rooms: COMMON, packages: [] },
  { name: GATEWAY_TYPES, files: /^src\/gateway-types\.ts$/, rooms: COMMON, packages: [] },
  {
    name: "worker frames",
    files: /^src\/worker\/(protocol|communicator-protocol|frame)\.ts$/,
    rooms: [...PURE, PORT],
    packages: [],
  },
  {
    name: "worker",
    files: /^src\/worker\//,
    rooms: [...PURE, PORT, "worker frames", "worker platform"],
    packages: ["node:", "onnxruntime-node", "koffi", "protobufjs", "@huggingface/gguf"],
  },
  {
    name: "worker platform",
    files: /^src\/platform\/shared\/files\.ts$/,
    rooms: COMMON,
    packages: ["node:"],
  },
  { name: "engine", files: /^src\/engine\//, rooms: [...PURE, PORT, "worker frames"], packages: [] },
  { name: "communicator", files: /^src\/communicator\//, rooms: [...PURE, PORT, "worker frames"], packages: [] },
  { name: "store", files: /^src\/store\//, rooms: [...PURE], packages: [] },
  { name: "fleet", files: /^src\/fleet\//, rooms: [...COMMON, PORT], packages: [] },
  {
    name: "sync",
    files: /^src\/sync\//,
    rooms: [...PURE, PORT, "communicator", "worker frames", "fleet"],
    packages: [],
  },
  {
    name: "gateway",
    files: /^src\/gateway(\.ts$|\/)/,
    rooms: [...PURE, PORT, GATEWAY_TYPES, "engine", "communicator", "store", "fleet", "sync"],
    packages: [],
  },
  {
    name: "client",
    files: /^src\/client\//,
    rooms: [...PURE, "communicator", "worker frames", "client ports"],
    packages: [],
  },
  {
    name: "client ports",
    files: /^src\/platform\/current-ports\.ts$/,
    rooms: [...COMMON, "platform"],
    packages: [],
  },
  {
    name: "http",
    files: /^src\/(http|dashboard)\//,
    rooms: [...COMMON, GATEWAY_TYPES],
    packages: ["hono", "@hono/zod-openapi", "zod"],
  },
  {
    name: "routes",
    files: /^routes\//,
    rooms: [...COMMON, GATEWAY_TYPES, "http"],
    packages: ["hono", "@hono/zod-openapi", "zod"],
  },
  {
    name: "openapi",
    files: /^openapi\//,
    rooms: [...COMMON, "http", "routes"],
    packages: ["hono", "@hono/zod-openapi", "zod", "node:", "yaml"],
  },
  {
    name: "app",
    files: /^src\/app\.ts$/,
    rooms: [...COMMON, GATEWAY_TYPES, "http", "routes", "openapi"],
    packages: ["hono", "@hono/zod-openapi"],
  },
  {
    name: "library",
    files: /^src\/index\.ts$/,
    rooms: [...PURE, PORT, GATEWAY_TYPES, "gateway", "client", "app", "platform"],
    packages: [],
  },
  {
    name: "platform",
    files: /^src\/platform\//,
    rooms: [...PURE, GATEWAY_TYPES, "worker platform", "gateway", "app"],
    packages: ["node:", "bun:", "@hono/node-server", "undici"],
  },
  { name: "cli", files: /^src\/cli\//, rooms: [...COMMON, "platform"], packages: ["node:", "yaml", "zod"] },
];

/** The four runtimes never know of each other. */
const RUNTIME = /^src\/platform\/(bun|deno|node|workerd)\.ts$/;

/** Routes stand alone; only the table knows them all. Helpers shared by a folder begin with its name. */
const TABLE = /^routes\/(mod|[a-z]+\/mod)\.ts$/;

const roomOf = (path: string): Room | undefined => ROOMS.find(({ files }) => files.test(path));

const packageOf = (specifier: string): string => {
  for (const scheme of ["node:", "bun:"]) if (specifier.startsWith(scheme)) return scheme;
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0]!;
};

/** Every specifier that a file imports, re-exports or loads. */
export function importsOf(path: string, text: string): string[] {
  const found: string[] = [];
  walk(parse(path, text), (node) => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      if (ts.isStringLiteral(node.moduleSpecifier)) found.push(node.moduleSpecifier.text);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      if (ts.isStringLiteral(node.argument.literal)) found.push(node.argument.literal.text);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument && ts.isStringLiteralLike(argument)) found.push(argument.text);
    }
  });
  return found;
}

/** What is wrong with one import. `defining` are the files that define a route. */
function checkImport(file: string, room: Room, specifier: string, defining: ReadonlySet<string>): string | undefined {
  if (!specifier.startsWith(".")) {
    const name = packageOf(specifier);
    if (room.packages.includes(name)) return undefined;
    return `"${specifier}" may not be imported in ${room.name} (allowed packages: ${room.packages.join(", ") || "none"})`;
  }
  const target = posix.join(posix.dirname(file), specifier);
  // Data beside the code has no rank.
  if (target.endsWith(".json")) return undefined;
  const other = roomOf(target);
  if (other === undefined) return `"${specifier}" belongs to no room of the house`;
  if (RUNTIME.test(file) && RUNTIME.test(target)) return `one runtime may not import another (${specifier})`;
  if (room.name === "routes" && other.name === "routes" && !TABLE.test(file)) {
    const shared = posix.dirname(file) === posix.dirname(target) && !defining.has(target);
    return shared ? undefined : `a route may not import another (${specifier}); only the table may`;
  }
  if (other === room || room.rooms.includes(other.name)) return undefined;
  return `${room.name} may not import ${other.name} (${specifier})`;
}

/** Every import that goes up or sideways in the house. */
export function checkImportRanks(files: SourceFiles): Breach[] {
  const defining = new Set(
    [...files]
      .filter(([path, text]) => path.startsWith("routes/") && /\bdefineRoute\(/.test(text))
      .map(([path]) => path),
  );
  const breaches: Breach[] = [];
  for (const [file, text] of files) {
    const room = roomOf(file);
    if (room === undefined) {
      breaches.push({
        file,
        message: "belongs to no room of the house; add it to docs/architecture.md and to this table",
      });
      continue;
    }
    for (const specifier of importsOf(file, text)) {
      const message = checkImport(file, room, specifier, defining);
      if (message !== undefined) breaches.push({ file, message });
    }
  }
  return breaches;
}
