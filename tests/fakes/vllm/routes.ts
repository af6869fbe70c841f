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
  data: state.models.map((id) => ({
    id,
    object: "model",
    created: BOOT,
    owned_by: "vllm",
    root: `ckpt/${id}`,
    parent: null,
    max_model_len: state.maxModelLen,
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
      "",
    ].join("\n"),
  );
};

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

const initTransfer: Handler = (call) => {
  required(call, "init_info");
  call.state.transferReady = true;
  return { message: "Weight transfer initialized" };
};

const startUpdate: Handler = ({ state }) => {
  if (state.updating) throw HttpError.worker("Weight update already active. Call finish_weight_update first.");
  state.updating = true;
  return { message: "Weight update started" };
};

const updateWeights: Handler = (call) => {
  required(call, "update_info");
  if (!call.state.updating) throw HttpError.worker("start_weight_update must be called before update_weights.");
  return { message: "Weights updated" };
};

const finishUpdate: Handler = ({ state, body, contentType }) => {
  if (!state.updating) throw HttpError.worker("No weight update is active. Call start_weight_update first.");
  const version = body.length > 0 ? parseBody(body, contentType).weight_version : undefined;
  state.updating = false;
  state.weights += 1;
  if (typeof version === "string") state.weightVersion = version;
  return { message: "Weight update finished" };
};

const collectiveRpc: Handler = ({ state, body, contentType }) => {
  const fields = parseBody(body, contentType);
  if (typeof fields.method !== "string") {
    throw HttpError.shaped(400, "Bad Request", "Missing 'method' in request body", null);
  }
  if (fields.method === "reload_weights") state.weights += 1;
  else if (fields.method !== "check_health") {
    throw HttpError.worker(`'CPUWorker' object has no attribute '${fields.method}'`);
  }
  return { results: Array.from({ length: state.worldSize }, () => null) };
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

/** Always there. */
export const PLAIN_ROUTES: Readonly<Record<string, Handler>> = {
  "GET /version": () => ({ version: "0.32.0" }),
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
  "POST /pause": pause,
  "POST /resume": resume,
  "GET /is_paused": ({ state }) => ({ is_paused: state.paused }),
  "GET /get_world_size": ({ state }) => ({ world_size: state.worldSize }),
  "POST /reset_prefix_cache": ({ state, query }) => ({
    success: state.paused || state.running.size === 0 || query.get("reset_running_requests") === "true",
  }),
  "POST /reset_mm_cache": () => undefined,
  "POST /sleep": sleepRoute,
  "POST /wake_up": wakeUp,
  "GET /is_sleeping": ({ state }) => ({ is_sleeping: state.sleeping }),
  "POST /init_weight_transfer_engine": initTransfer,
  "POST /start_weight_update": startUpdate,
  "POST /update_weights": updateWeights,
  "POST /finish_weight_update": finishUpdate,
  "POST /update_weight_version": updateVersion,
  "GET /weight_info": ({ state }) => ({ weight_version: state.weightVersion }),
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
