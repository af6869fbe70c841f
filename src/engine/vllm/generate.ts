/**
 * Generation through POST /v1/completions for callers of another dialect: neutral request in, neutral events out.
 * A caller that speaks vLLM's own dialect never comes here; its bytes are forwarded.
 */
import type { GenerateEvent, GenerateRequest } from "../../contract/generation.ts";
import type { WeightDigest, WeightVersion } from "../../contract/ids.ts";
import { GatewayError } from "../../errors.ts";
import { orAborted } from "../../lib/deadline.ts";
import type { CallOptions } from "../engine.ts";
import type { Client } from "./client.ts";
import { readText } from "./client.ts";
import { connectionError, statusError } from "./faults.ts";
import { type Progress, toEvents, type WireCompletion } from "./from-completions.ts";
import type { Identity } from "./identity.ts";
import { parsePythonJson, readEvents } from "./sse.ts";
import { detokenize, tokenize } from "./text.ts";
import { asTexts, canStream, toCompletionsBody } from "./to-completions.ts";

/** A whole answer with prompt logprobs: 20 candidates at 100,000 positions are some 200 MB. */
const ANSWER_LIMIT = 256 * 1024 * 1024;

/** The server, and what its owner knows of it. */
export interface GenerateContext {
  readonly client: Client;
  readonly identity: Pick<Identity, "around" | "matters">;
  /** Prompt plus output tokens; what "as many as fit" is asked as. */
  readonly maxModelLen: number;
  readonly weightVersion: WeightVersion;
  readonly weightDigest: WeightDigest | null;
  /** What it is known to hold now: a switch that froze this call changes it in between. */
  readonly versionNow: () => WeightVersion | null;
}

interface Prepared {
  readonly prompt: readonly string[] | readonly (readonly number[])[];
  readonly addSpecialTokens: boolean;
  readonly texts: readonly (string | null)[];
}

/** Texts go as they are; conversations, and mixed lists, go through the server's tokenizer and chat template first. */
async function prepare(client: Client, request: GenerateRequest, options: CallOptions): Promise<Prepared> {
  const plain = asTexts(request.prompts);
  if (plain !== undefined) {
    return { prompt: plain.texts, addSpecialTokens: plain.addSpecialTokens, texts: plain.texts };
  }
  const ids: (readonly number[])[] = [];
  const texts: (string | null)[] = [];
  for (const prompt of request.prompts) {
    const { tokenIds } = await tokenize(client, prompt, options);
    ids.push(tokenIds);
    if (prompt.kind === "text") texts.push(prompt.text);
    else texts.push(prompt.kind === "chat" ? await detokenize(client, tokenIds, options) : null);
  }
  return { prompt: ids, addSpecialTokens: false, texts };
}

/** An error that came inside a 200 stream. */
function streamError(client: Client, error: NonNullable<WireCompletion["error"]>): GatewayError {
  const text = JSON.stringify({ error });
  client.notice(text);
  const status = typeof error.code === "number" && error.code >= 400 && error.code < 600 ? error.code : 500;
  return statusError(client.url, "/v1/completions", status, text);
}

async function* readAnswers(client: Client, response: Response, stream: boolean): AsyncGenerator<WireCompletion> {
  if (response.body === null) return;
  if (!stream) {
    yield parsePythonJson(await readText(response, ANSWER_LIMIT)) as WireCompletion;
    return;
  }
  for await (const data of readEvents(response.body)) {
    if (data === "[DONE]") return;
    const answer = parsePythonJson(data) as WireCompletion;
    if (answer.error != null) throw streamError(client, answer.error);
    yield answer;
  }
}

/** Turns what the transport throws into errors of ours; the caller's own abort stays what it is. */
function toFailure(client: Client, signal: AbortSignal, thrown: unknown): unknown {
  if (signal.aborted) return signal.reason;
  if (thrown instanceof GatewayError) return thrown;
  if (thrown instanceof SyntaxError) {
    return new GatewayError("upstream_failed", `The vLLM server at ${client.url} sent what is not JSON.`, {
      cause: thrown,
    });
  }
  return connectionError(client.url, thrown);
}

/** See `Engine.generate`. Leaving the iteration ends the upstream's work. */
export async function* generate(
  { client, identity, maxModelLen, weightVersion, weightDigest, versionNow }: GenerateContext,
  request: GenerateRequest,
  { signal }: CallOptions,
): AsyncGenerator<GenerateEvent> {
  const call = new AbortController();
  const onAbort = (): void => call.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    const prepared = await prepare(client, request, { signal: call.signal });
    const { addSpecialTokens, texts } = prepared;
    const json = toCompletionsBody(request, prepared.prompt, { addSpecialTokens, maxModelLen });
    const headers = { "x-request-id": request.requestId };
    const once = identity.matters;
    const open = (): Promise<Response> => client.open("/v1/completions", { json, headers, signal: call.signal, once });
    const response = await orAborted(identity.matters ? identity.around(open, true) : open(), call.signal);
    yield { type: "start", weightVersion, weightDigest };
    const samples = request.sampling.n ?? 1;
    const progress: Progress = { prompts: new Set(), finished: new Set() };
    for await (const answer of readAnswers(client, response, canStream(request))) {
      const context = {
        samples,
        textOf: (prompt: number) => texts[prompt] ?? null,
        wantsLogprobs: request.sampling.logprobs !== undefined,
        cachedTokens: answer.usage?.prompt_tokens_details?.cached_tokens ?? 0,
      };
      for (const choice of answer.choices ?? []) yield* toEvents(choice, progress, context);
    }
    const wanted = request.prompts.length * samples;
    if (progress.finished.size < wanted) {
      throw new GatewayError(
        "upstream_failed",
        `The vLLM server at ${client.url} ended its answer after ${progress.finished.size} of ${wanted} samples.`,
      );
    }
    yield { type: "end", firstVersion: weightVersion, lastVersion: versionNow() ?? weightVersion };
  } catch (thrown) {
    throw toFailure(client, signal, thrown);
  } finally {
    signal.removeEventListener("abort", onAbort);
    call.abort(new GatewayError("client_closed", "The answer is no longer read."));
  }
}
