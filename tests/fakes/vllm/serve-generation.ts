/** Answers the two generation routes of the fake: faults first, then a fixed answer, then the made-up model. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Sample, toWork, type Work } from "./generate.ts";
import { ENGINE_DEAD, HttpError, SHUTTING_DOWN } from "./http-error.ts";
import { event, type Ids, type Made, renderRole, renderStep, renderUsage, renderWhole } from "./render.ts";
import { type FakeState, type Faults, sleep } from "./state.ts";

/** Tokens per event when there is no pause between tokens: vLLM shares events under load, the fake does not. */
const TOKENS_PER_EVENT = 1;

let nextId = 0;

function parseBody(bytes: Uint8Array, contentType: string | undefined): Record<string, unknown> {
  if (!/^application\/json/.test(contentType ?? "")) {
    throw HttpError.shaped(
      400,
      "Bad Request",
      "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed",
      null,
    );
  }
  if (bytes.length === 0) throw HttpError.validation("missing", "body", "Field required", "'None'");
  let value: unknown;
  try {
    // Python's json takes bare NaN and Infinity; they are of no use to the fake.
    const text = new TextDecoder().decode(bytes).replaceAll(/(?<=[:,[\s])(NaN|-?Infinity)(?=[,\]}\s])/g, "null");
    value = JSON.parse(text);
  } catch {
    throw HttpError.shaped(
      400,
      "Bad Request",
      `1 validation error:\n  {'type': 'json_invalid', 'loc': 'body.${bytes.length}', 'msg': 'JSON decode error', 'input': '<dict of 0 items>', 'ctx': {'error': 'Expecting value'}}`,
      `body.${bytes.length}`,
    );
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw HttpError.validation(
      "model_attributes_type",
      "body",
      "Input should be a valid dictionary or object to extract fields from",
      `'<list of ${Array.isArray(value) ? value.length : 0} items>'`,
    );
  }
  return value as Record<string, unknown>;
}

export { parseBody };

/** Throws when the model is named and unknown; gives the name that answers carry. */
export function checkModel(state: FakeState, body: Record<string, unknown>): string {
  const { model } = body;
  const [first = "tiny"] = state.models;
  if (model === undefined || model === null) return first;
  if (typeof model === "string" && (state.models.includes(model) || state.adapters.has(model))) return model;
  throw HttpError.shaped(
    404,
    "NotFoundError",
    `The model \`${String(model)}\` does not exist. Valid aliases: ${[...state.models, ...state.adapters.cards().map(({ id }) => id)].join(", ")}.`,
    "model",
  );
}

function crash(state: FakeState): void {
  state.dead = true;
  state.changed();
}

/** Writes with the fault "cut after N chunks" applied. Resolves false when the client or the fault ended it. */
function createChunks(response: ServerResponse, faults: Faults) {
  let count = 0;
  return async (text: string | Uint8Array): Promise<boolean> => {
    if (response.destroyed || response.writableEnded) return false;
    if (faults.dropAfterChunks !== undefined && count >= faults.dropAfterChunks) {
      // What was written leaves first: destroyed at once, some runtimes would take it back.
      await new Promise((resolve) => setTimeout(resolve, 20));
      response.socket?.destroy();
      return false;
    }
    if (faults.errorAfterChunks !== undefined && count >= faults.errorAfterChunks) {
      response.end(
        `data: {"error": {"message": "${ENGINE_DEAD}", "type": "InternalServerError", "param": null, "code": 500}}\n\ndata: [DONE]\n\n`,
      );
      return false;
    }
    count += 1;
    if (!response.write(text)) {
      await new Promise<void>((resolve) => {
        response.once("drain", resolve);
        response.once("close", resolve);
      });
    }
    return !response.destroyed;
  };
}

const jsonHead = { "content-type": "application/json", server: "uvicorn", vary: "Origin" } as const;

/** Makes the tokens at the state's pace; tells each step. Ends early when aborted or the client left. */
async function make(
  state: FakeState,
  work: Work,
  run: { abort: boolean },
  gone: () => boolean,
  onStep: (sample: Sample, from: number, to: number, finishReason: string | null, total: number) => Promise<boolean>,
): Promise<Made[]> {
  const made = work.samples.map(() => ({ count: 0, finishReason: "" }));
  let total = 0;
  let open = work.samples.length;
  while (open > 0) {
    if (state.paused || state.sleeping)
      await state.until(() => (!state.paused && !state.sleeping) || run.abort || gone());
    if (state.empty || (state.deadly && !state.paused)) crash(state);
    if (state.dead) throw HttpError.shaped(500, "InternalServerError", ENGINE_DEAD, null);
    if (state.tokenDelayMs > 0) await sleep(state.tokenDelayMs);
    if (gone()) return made;
    for (const [place, sample] of work.samples.entries()) {
      const one = made[place];
      if (one === undefined || one.finishReason !== "") continue;
      const from = one.count;
      if (!run.abort) one.count = Math.min(from + TOKENS_PER_EVENT, sample.tokenIds.length);
      total += one.count - from;
      if (run.abort) one.finishReason = "abort";
      else if (one.count === sample.tokenIds.length) one.finishReason = sample.finishReason;
      if (one.finishReason !== "") open -= 1;
      if (!(await onStep(sample, from, one.count, one.finishReason || null, total))) return made;
    }
  }
  return made;
}

/** `faults` are those that hit this very request. */
export async function serveGeneration(
  state: FakeState,
  request: IncomingMessage,
  response: ServerResponse,
  body: Uint8Array,
  faults: Faults,
): Promise<void> {
  if (state.dead || faults.engineDead === true) throw HttpError.shaped(500, "InternalServerError", ENGINE_DEAD, null);
  if (faults.shuttingDown === true) throw HttpError.shaped(500, "InternalServerError", SHUTTING_DOWN, null);
  const write = createChunks(response, faults);
  if (state.answer !== null) {
    const { answer } = state;
    response.writeHead(answer.status, { ...answer.headers });
    response.flushHeaders();
    for (const [index, chunk] of answer.chunks.entries()) {
      if (index > 0 && answer.delayMs > 0) await sleep(answer.delayMs);
      if (!(await write(chunk))) return;
    }
    response.end();
    return;
  }
  const chat = request.url?.startsWith("/v1/chat/") === true;
  const parsed = parseBody(body, request.headers["content-type"]);
  const model = checkModel(state, parsed);
  const weights = (state.serving + state.adapters.numberOf(model)) % 2 ** 31;
  const work = { ...toWork(parsed, chat, weights, state.maxModelLen), model };
  nextId += 1;
  const given = request.headers["x-request-id"];
  const suffix = typeof given === "string" ? given : nextId.toString(16).padStart(16, "0");
  const ids: Ids = { id: `${chat ? "chatcmpl" : "cmpl"}-${suffix}`, created: Math.floor(Date.now() / 1000) };
  const run = { abort: false };
  const gone = (): boolean => response.destroyed;
  // An engine that waits for a trainer schedules nothing.
  if (state.transfer.busy > 0) await state.transfer.engine(() => undefined);
  if (state.deadly && !state.paused) {
    // Parameters are empty between start and finish, and after a failure: a generation then kills engine and server.
    crash(state);
    throw HttpError.shaped(500, "InternalServerError", ENGINE_DEAD, null);
  }
  if (work.stream) {
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", server: "uvicorn", vary: "Origin" });
    response.flushHeaders();
  }
  // Requests that arrive while the scheduler is paused wait; they do not count as running.
  await state.until(() => (!state.paused && !state.sleeping) || gone());
  if (gone()) return;
  state.running.add(run);
  state.changed();
  try {
    if (!work.stream) {
      const made = await make(state, work, run, gone, async () => true);
      if (gone()) return;
      const text = JSON.stringify(renderWhole(work, ids, made));
      response.writeHead(200, { ...jsonHead, "content-length": Buffer.byteLength(text) });
      if (faults.dropAfterChunks === undefined) response.end(text);
      else {
        // Half of the body, then the configured cut.
        await new Promise<void>((resolve) => response.write(text.slice(0, text.length / 2), () => resolve()));
        response.socket?.destroy();
      }
      return;
    }
    if (chat && !(await write(renderRole(work, ids)))) return;
    let open = work.samples.length;
    let total = 0;
    await make(state, work, run, gone, (sample, from, to, finishReason, totalMade) => {
      if (finishReason !== null) open -= 1;
      total = totalMade;
      return write(renderStep(work, ids, { sample, from, to, finishReason, last: open === 0, totalMade }));
    });
    if (gone() || response.writableEnded) return;
    if (work.includeUsage && !(await write(renderUsage(work, ids, total)))) return;
    response.end("data: [DONE]\n\n");
  } catch (thrown) {
    if (!(thrown instanceof HttpError) || !response.headersSent) throw thrown;
    response.end(`${event(thrown.body)}data: [DONE]\n\n`);
  } finally {
    state.running.delete(run);
    state.changed();
  }
}
