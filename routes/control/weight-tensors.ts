/** `/api/weight-syncs/{id}/tensors`: what a vLLM server with our plugin fetches while a sync runs. Not for people. */
import { createRoute, z } from "@hono/zod-openapi";
import { WeightFileList } from "../../src/contract/control/weight-tensors.ts";
import { invalidValue } from "../../src/errors.ts";
import { asIs, defineRoute } from "../../src/http/define-route.ts";
import { problems } from "../../src/http/problem-responses.ts";

const tags = ["weights"];
/** A sync's id, or that of a replica's catching up. */
const id = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/)
  .meta({ description: "Id of the transfer.", example: "ws_7d1f2c" });
const unauthorized = [
  "unauthorized",
  "These weights are only for the servers of a running transfer; their token goes with the transfer.",
] as const;

const bytes = {
  "application/octet-stream": {
    schema: z.string().meta({ format: "binary" }),
    example: "(bytes of a safetensors file)",
  },
};

const ABOUT =
  "For vLLM servers with the plugin `tidegate-vllm`. `Authorization: Bearer` carries the token that the gateway gave this one server for this one transfer; it ends with the transfer.";

/** The token of `Authorization: Bearer`; undefined without one. */
const tokenOf = (header: string | undefined): string | undefined => /^Bearer (\S{1,512})$/i.exec(header ?? "")?.[1];

/** One range of `Range: bytes=`; undefined = the whole file, as RFC 9110 wants it for what is not understood. */
function parseRange(header: string | undefined): { first: number; last?: number } | undefined {
  const match = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(header ?? "");
  if (match === null) return undefined;
  const [first, last] = [Number(match[1]), match[2] === "" ? undefined : Number(match[2])];
  if (last === undefined) return { first };
  return last < first ? undefined : { first, last };
}

export const listWeightFiles = defineRoute({
  route: createRoute({
    method: "get",
    path: "/api/weight-syncs/{id}/tensors",
    operationId: "listWeightFiles",
    tags,
    summary: "Files of a transfer",
    description: ABOUT,
    request: { params: z.object({ id }) },
    responses: {
      200: {
        description: "The files.",
        content: {
          "application/json": {
            schema: WeightFileList,
            example: { id: "ws_7d1f2c", digest: `sha256:${"0".repeat(64)}`, files: [{ index: 0, bytes: 2_101_248 }] },
          },
        },
      },
      ...problems(["invalid_value", 'id must be in the format regex, got "?".', { param: "id" }], unauthorized),
    },
  }),
  scope: null,
  handler: (c) => {
    const token = tokenOf(c.req.header("authorization"));
    return c.json(c.get("gateway").weightFiles.list(c.req.valid("param").id, token), 200);
  },
});

export const fetchWeightFile = defineRoute({
  route: createRoute({
    method: "get",
    path: "/api/weight-syncs/{id}/tensors/{index}",
    operationId: "fetchWeightFile",
    tags,
    summary: "Bytes of a weight file",
    description: `One safetensors file, streamed; \`Range: bytes=FIRST-LAST\` gives a part of it. ${ABOUT}`,
    request: {
      params: z.object({
        id,
        index: z.coerce.number().int().min(0).max(1_000_000).meta({ description: "Place in the list.", example: 0 }),
      }),
    },
    responses: {
      200: {
        description: "The file.",
        content: bytes,
      },
      206: {
        description: "The asked part of it.",
        content: bytes,
      },
      ...problems(["invalid_value", 'index must be a number, got "one".', { param: "index" }], unauthorized, [
        "not_found",
        "There is no file 3; this set has 1.",
        { param: "index" },
      ]),
    },
  }),
  scope: null,
  handler: (c) => {
    const { id: transfer, index } = c.req.valid("param");
    const range = parseRange(c.req.header("range"));
    const token = tokenOf(c.req.header("authorization"));
    const { size, first, length, body } = c.get("gateway").weightFiles.open(transfer, token, index, range);
    if (body === null && length === 0 && range !== undefined) {
      throw invalidValue("Range", c.req.header("range"), `a part of the file's ${size} bytes`);
    }
    const headers = new Headers({
      "content-type": "application/octet-stream",
      "content-length": String(length),
      "accept-ranges": "bytes",
      "cache-control": "no-store",
    });
    if (range !== undefined) headers.set("content-range", `bytes ${first}-${first + length - 1}/${size}`);
    return asIs(new Response(body, { status: range === undefined ? 200 : 206, headers }));
  },
});
