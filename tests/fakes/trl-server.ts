/**
 * A fake of TRL's own server (`trl vllm-serve`) in the forms of 0.16, 0.26 and 1.10: its routes end in a slash, its
 * document names the fields that it reads, and fields that it does not read it ignores. Imports nothing of the gateway.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type TrlRelease = "0.16" | "0.26" | "1.10";

type Json = Record<string, unknown>;

export interface FakeTrl {
  readonly url: string;
  /** Path and body of every POST, oldest first. */
  readonly seen: { readonly path: string; readonly body: Json | null }[];
  stop(): Promise<void>;
}

const SAMPLING = ["prompts", "n", "repetition_penalty", "temperature", "top_p", "top_k", "min_p", "max_tokens"];

const FIELDS: Readonly<Record<TrlRelease, readonly string[]>> = {
  "0.16": [...SAMPLING, "guided_decoding_regex"],
  "0.26": [...SAMPLING, "images", "truncate_prompt_tokens", "guided_decoding_regex", "generation_kwargs"],
  "1.10": [...SAMPLING, "images", "logprobs", "structured_outputs_regex", "generation_kwargs"],
};

const HAS = (release: TrlRelease): readonly string[] => [
  "/health/",
  "/generate/",
  "/init_communicator/",
  "/update_named_param/",
  "/reset_prefix_cache/",
  "/close_communicator/",
  ...(release === "0.16" ? ["/get_tensor_parallel_size/"] : ["/get_world_size/", "/chat/"]),
  ...(release === "1.10" ? ["/get_sequence_logprobs/"] : []),
];

/** Ids 70, 71, … per sample; each token's logprob is minus a hundredth of its id. */
function generate(release: TrlRelease, body: Json, prompts: number): Json {
  const samples = prompts * Number(body.n ?? 1);
  const completion_ids = Array.from({ length: samples }, (_, index) => [70 + index, 2]);
  if (release === "0.16") return { completion_ids };
  const prompt_ids = Array.from({ length: prompts }, (_, index) => [5, 6, index]);
  const logprob = (id: number): number => -id / 100;
  if (release === "0.26")
    return { prompt_ids, completion_ids, logprobs: completion_ids.map((ids) => ids.map(logprob)) };
  if (body.logprobs === null) return { prompt_ids, completion_ids, logprobs: null, logprob_token_ids: null };
  // One more candidate, likelier than the sampled token, when candidates are asked for.
  const more = Number(body.logprobs ?? 0) > 0;
  const ids = completion_ids.map((list) => list.map((id) => (more ? [9, id] : [id])));
  const logprobs = ids.map((list) => list.map((entry) => entry.map((id) => (id === 2 ? null : logprob(id)))));
  return { prompt_ids, completion_ids, logprobs, logprob_token_ids: ids };
}

const base64 = (values: Float32Array | Int32Array): string =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");

/** Candidate r of place p of sequence b has the id 10b + p + r and the logprob -(r + 1); the actual token -0.5. */
function score(body: Json): Json {
  const sequences = body.sequences as number[][];
  const starts = body.prompt_lengths as number[];
  const top = Number(body.top_logprobs);
  const lengths = sequences.map((ids, index) => ids.length - (starts[index] ?? 0));
  const longest = Math.max(...lengths);
  const count = sequences.length * longest;
  const logprobs = new Float32Array(count * top).fill(Number.NEGATIVE_INFINITY);
  const ids = new Int32Array(count * top);
  for (const [b, length] of lengths.entries()) {
    for (let p = 0; p < length; p += 1) {
      for (let r = 0; r < top; r += 1) {
        logprobs[(b * longest + p) * top + r] = -(r + 1);
        ids[(b * longest + p) * top + r] = 10 * b + p + r;
      }
    }
  }
  return {
    logprobs_b64: base64(logprobs),
    token_ids_b64: base64(ids),
    actual_logprobs_b64: base64(new Float32Array(count).fill(-0.5)),
    actual_token_ids_b64: base64(new Int32Array(count)),
    shape: [sequences.length, longest, top],
    completion_lengths: lengths,
  };
}

function answer(release: TrlRelease, path: string, body: Json): unknown {
  switch (path) {
    case "/health/":
      return { status: "ok" };
    case "/get_tensor_parallel_size/":
      return { tensor_parallel_size: 2 };
    case "/get_world_size/":
      return { world_size: 4 };
    case "/generate/":
      return generate(release, body, (body.prompts as unknown[]).length);
    case "/chat/":
      return generate(release, body, (body.messages as unknown[]).length);
    case "/get_sequence_logprobs/":
      return score(body);
    case "/reset_prefix_cache/":
      return { message: "Request received, resetting prefix cache status: True" };
    default:
      return { message: "Request received, closing communicator" };
  }
}

const document = (release: TrlRelease): unknown => ({
  openapi: "3.1.0",
  paths: Object.fromEntries(HAS(release).map((path) => [path, {}])),
  components: {
    schemas: { GenerateRequest: { properties: Object.fromEntries(FIELDS[release].map((name) => [name, {}])) } },
  },
});

async function bodyOf(request: IncomingMessage): Promise<Json | null> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text === "" ? null : (JSON.parse(text) as Json);
}

/** Starts one on a free port of 127.0.0.1. */
export async function startFakeTrl(release: TrlRelease): Promise<FakeTrl> {
  const seen: FakeTrl["seen"] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = new URL(request.url ?? "/", "http://fake").pathname;
    const body = await bodyOf(request);
    if (request.method === "POST") seen.push({ path, body });
    const send = (status: number, value: unknown, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
    };
    if (path === "/openapi.json") send(200, document(release));
    else if (HAS(release).includes(path)) send(200, answer(release, path, body ?? {}));
    else if (HAS(release).includes(`${path}/`)) send(307, null, { location: `${path}/` });
    else send(404, { detail: "Not Found" });
  };
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
