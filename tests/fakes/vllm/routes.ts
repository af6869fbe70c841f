/** Every route of the fake but generation: one table, method and path to a handler that gives a JSON body. */
import { renderChat, toIds, toText } from "./generate.ts";
import { HttpError } from "./http-error.ts";
import { checkModel, parseBody } from "./serve-generation.ts";
import type { FakeState } from "./state.ts";

export interface Call {
  readonly state: FakeState;
  readonly query: URLSearchParams;
  readonly body: Uint8Array;
  readonly contentType: string | undefined;
}

/** `undefined` is an empty body. */
export type Handler = (call: Call) => unknown;

const BOOT = Math.floor(Date.now() / 1000);

const models: Handler = ({ state }) => ({
  object: "list",
  data: [
    ...state.models.map((id) => ({ id, root: `ckpt/${id}`, parent: null, max_model_len: state.maxModelLen })),
    ...state.adapters.cards(),
  ].map(({ id, root, parent, max_model_len }) => ({
    id,
    object: "model",
    created: BOOT,
    owned_by: "vllm",
    root,
    parent,
    max_model_len,
    permission: [
      {
        id: `modelperm-${id}`,
        object: "model_permission",
        created: BOOT,
        allow_create_engine: false,
        allow_sampling: true,
        allow_logprobs: true,
        allow_search_indices: false,
        allow_view: true,
        allow_fine_tuning: false,
        organization: "*",
        group: null,
        is_blocking: false,
      },
    ],
  })),
});

const tokenize: Handler = ({ state, body, contentType }) => {
  const fields = parseBody(body, contentType);
  checkModel(state, fields);
  if (typeof fields.prompt !== "string" && !Array.isArray(fields.messages)) {
    throw HttpError.validation(
      "missing",
      "body.prompt",
      "Field required",
      `'<dict of ${Object.keys(fields).length} items>'`,
    );
  }
  const tokens = toIds(typeof fields.prompt === "string" ? fields.prompt : renderChat(fields));
  return {
    count: tokens.length,
    max_model_len: state.maxModelLen,
    tokens,
    token_strs: fields.return_token_strs === true ? tokens.map((id) => toText([id])) : null,
  };
};

const detokenize: Handler = ({ state, body, contentType }) => {
  const fields = parseBody(body, contentType);
  checkModel(state, fields);
  if (!Array.isArray(fields.tokens)) throw HttpError.validation("missing", "body.tokens", "Field required", "'None'");
  return { prompt: toText(fields.tokens as number[]) };
};

const metrics: Handler = ({ state }) => {
  const labels = `{engine="0",model_name="${state.models[0] ?? ""}"}`;
  return new TextEncoder().encode(
    [
      "# HELP vllm:num_requests_running Number of requests in model execution batches.",
      "# TYPE vllm:num_requests_running gauge",
      `vllm:num_requests_running${labels} ${state.paused ? 0 : state.running.size}.0`,
      "# HELP vllm:num_requests_waiting Number of requests waiting to be processed.",
      "# TYPE vllm:num_requests_waiting gauge",
      `vllm:num_requests_waiting${labels} 0.0`,
      "# HELP vllm:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.",
      "# TYPE vllm:kv_cache_usage_perc gauge",
      `vllm:kv_cache_usage_perc${labels} 0.0`,
      "# HELP process_start_time_seconds Start time of the process since unix epoch in seconds.",
      "# TYPE process_start_time_seconds gauge",
      `process_start_time_seconds ${state.startedAt}`,
      "",
    ].join("\n"),
  );
};

/** While the engine waits for a trainer these queue behind it; the API process answers the others alone. */
const blocked =
  (handler: Handler): Handler =>
  (call) =>
    call.state.transfer.busy === 0 ? handler(call) : call.state.transfer.engine(async () => handler(call));

const pause: Handler = async ({ state, query }) => {
  const mode = query.get("mode") ?? "abort";
  if (!["abort", "wait", "keep"].includes(mode)) {
    throw HttpError.shaped(
      400,
      "Bad Request",
      `1 validation error:\n  {'type': 'literal_error', 'loc': 'query.mode', 'msg': "Input should be 'abort', 'wait' or 'keep'", 'input': '${mode}', 'ctx': {'expected': "'abort', 'wait' or 'keep'"}}`,
      "query.mode",
    );
  }
  if (mode === "wait") await state.until(() => state.running.size === 0);
  state.paused = true;
  if (mode === "abort") for (const run of state.running) run.abort = true;
  state.changed();
  if (mode === "abort") await state.until(() => state.running.size === 0);
  return { status: "paused" };
};

const resume: Handler = ({ state }) => {
  state.paused = false;
  state.changed();
  return { status: "resumed" };
};

const sleepRoute: Handler = ({ state, query }) => {
  state.sleeping = true;
  state.paused = true;
  return { status: "sleeping", level: Number(query.get("level") ?? 1) };
};

const wakeUp: Handler = ({ state, query }) => {
  const tags = query.getAll("tags");
  if (tags.length > 0) return { status: "sleeping", tags };
  state.sleeping = false;
  state.paused = false;
  state.changed();
  return { status: "awake", tags: null };
};

function required(call: Call, field: string): unknown {
  const missing = HttpError.validation("missing", `body.${field}`, "Field required", "'None'");
  if (call.body.length === 0) throw missing;
  const fields = parseBody(call.body, call.contentType);
  if (fields[field] === undefined) throw missing;
  return fields[field];
}

const initTransfer: Handler = async (call) => {
  const info = required(call, "init_info");
  const { transfer } = call.state;
  await transfer.engine(() => transfer.init(info as Readonly<Record<string, unknown>>));
  return { message: "Weight transfer initialized" };
};

const startUpdate: Handler = async ({ state }) => {
  await state.transfer.engine(() => state.transfer.start());
  // What runs unpaused meets empty parameters at its next step.
  if (!state.paused && state.running.size > 0) state.dead = true;
  state.changed();
  return { message: "Weight update started" };
};

const updateWeights: Handler = async (call) => {
  const info = required(call, "update_info");
  const { transfer } = call.state;
  await transfer.engine(() => transfer.update(info));
  return { message: "Weights updated" };
};

const finishUpdate: Handler = async ({ state, body, contentType }) => {
  const version = body.length > 0 ? parseBody(body, contentType).weight_version : undefined;
  if (await state.transfer.engine(() => state.transfer.finish())) state.weights += 1;
  if (typeof version === "string") state.weightVersion = version;
  return { message: "Weight update finished" };
};

const shutdownTransfer: Handler = async ({ state }) => {
  await state.transfer.engine(() => state.transfer.shutdown());
  return { message: "Weight transfer shut down" };
};

const collectiveRpc: Handler = ({ state, body, contentType }) => {
  const fields = parseBody(body, contentType);
  if (typeof fields.method !== "string") {
    throw HttpError.shaped(400, "Bad Request", "Missing 'method' in request body", null);
  }
  if (fields.method === "reload_weights") {
    const path = (fields.kwargs as { weights_path?: unknown } | undefined)?.weights_path;
    state.transfer.reload();
    if (path !== undefined) state.weights += 1;
  } else if (fields.method !== "check_health") {
    throw HttpError.worker(`'CPUWorker' object has no attribute '${fields.method}'`);
  }
  return { results: Array.from({ length: state.worldSize }, () => null) };
};

/** Ranks and names as vLLM 0.32 puts them; `state.corrupt` is a bit that fell over. */
const weightChecker: Handler = (call) => {
  const { state } = call;
  if (state.transfer.minor < 32) throw HttpError.detail(404, "Not Found");
  if (required(call, "action") !== "checksum")
    throw HttpError.detail(400, "action='compare' requires a 'baseline' object");
  const digests = [...state.transfer.tensors];
  const checksums = Array.from({ length: state.worldSize }, (_, rank) =>
    digests.map(([name, digest]) => [
      `dp0:pp0:pcp0:tp${rank}:${name}`,
      `${digest}${state.corrupt === name ? "!" : ""}`,
    ]),
  );
  return { checksums: Object.fromEntries(checksums.flat()) };
};

const updateVersion: Handler = (call) => {
  const version = required(call, "new_version");
  if (typeof version !== "string") {
    throw HttpError.validation("string_type", "body.new_version", "Input should be a valid string", `'${version}'`);
  }
  call.state.weightVersion = version;
  return { success: true, new_version: version };
};

const serverInfo: Handler = ({ state }) => ({
  vllm_config: {
    model_config: { model: `ckpt/${state.models[0] ?? ""}`, dtype: "torch.float32", max_model_len: state.maxModelLen },
    parallel_config: { world_size: state.worldSize },
    weight_transfer_config: { backend: "nccl" },
  },
  vllm_env: {},
  system_env: {},
});

const loadLora: Handler = ({ state, body, contentType }) => state.adapters.load(parseBody(body, contentType));
const unloadLora: Handler = ({ state, body, contentType }) => state.adapters.unload(parseBody(body, contentType));

/** Only with VLLM_ALLOW_RUNTIME_LORA_UPDATING=1. */
export const LORA_ROUTES: Readonly<Record<string, Handler>> = {
  "POST /v1/load_lora_adapter": loadLora,
  "POST /v1/unload_lora_adapter": unloadLora,
};

/** Always there. */
export const PLAIN_ROUTES: Readonly<Record<string, Handler>> = {
  "GET /version": ({ state }) => ({ version: state.version }),
  "GET /v1/models": models,
  "GET /ping": () => undefined,
  "POST /ping": () => undefined,
  "GET /load": ({ state }) => ({ server_load: state.running.size }),
  "GET /metrics": metrics,
  "POST /tokenize": tokenize,
  "POST /detokenize": detokenize,
};

/** Only with VLLM_SERVER_DEV_MODE=1. */
export const DEV_ROUTES: Readonly<Record<string, Handler>> = {
  "POST /pause": blocked(pause),
  "POST /resume": blocked(resume),
  "GET /is_paused": blocked(({ state }) => ({ is_paused: state.paused })),
  "GET /get_world_size": ({ state }) => ({ world_size: state.worldSize }),
  "POST /reset_prefix_cache": blocked(({ state, query }) => {
    const success = state.paused || state.running.size === 0 || query.get("reset_running_requests") === "true";
    if (success) state.adapters.forgetPrefixes();
    // Before 0.26 the answer was empty.
    return state.transfer.minor < 26 ? undefined : { success };
  }),
  "POST /reset_mm_cache": () => undefined,
  "POST /sleep": blocked(sleepRoute),
  "POST /wake_up": blocked(wakeUp),
  "GET /is_sleeping": blocked(({ state }) => ({ is_sleeping: state.sleeping })),
  "POST /init_weight_transfer_engine": initTransfer,
  "POST /start_weight_update": startUpdate,
  "POST /update_weights": updateWeights,
  "POST /finish_weight_update": finishUpdate,
  "POST /shutdown_weight_transfer_engine": shutdownTransfer,
  "POST /update_weight_version": updateVersion,
  "POST /weight_checker": blocked(weightChecker),
  "GET /weight_info": blocked(({ state }) => {
    if (state.transfer.minor < 29) throw HttpError.detail(404, "Not Found");
    return { weight_version: state.weightVersion };
  }),
  "GET /server_info": serverInfo,
  "POST /collective_rpc": collectiveRpc,
  "POST /abort_requests": ({ state, body, contentType }) => {
    parseBody(body, contentType);
    const aborted = state.running.size;
    for (const run of state.running) run.abort = true;
    state.changed();
    return { status: "aborted", aborted };
  },
};
