/**
 * The weight target of one vLLM server. vLLM overwrites its weights in place, so nothing is touched before `commit`:
 * `stage` brings the set within the server's reach and proves what can be proved, `commit` pauses, loads and resumes.
 * Three ways, by what the server offers: our plugin (it fetches by URL and tells the digest), NCCL where this machine can
 * drive it, or a disk that both see.
 * Between the first touched tensor and a good end the server has empty parameters, and one generation kills it whole
 * (vLLM 0.32): whatever fails there leaves it paused, with weights that nobody knows.
 */
import type { WeightVersion } from "../../contract/ids.ts";
import { GatewayError } from "../../errors.ts";
import type { Clock, Files } from "../../ports.ts";
import type { EngineControl, GuardedCallOptions, TensorSpec, TransferTarget, WeightTarget } from "../engine.ts";
import type { Client } from "./client.ts";
import type { WeightWay } from "./weight-way.ts";
import { createNcclWay, NCCL_BACKEND, type OpenNcclRoot } from "./weights-nccl.ts";
import { createPluginWay, type OfferWeights, PLUGIN_BACKEND } from "./weights-plugin.ts";
import { createReloadWay, REPACK_METHOD } from "./weights-reload.ts";

/** What the target needs from the engine and from outside. */
export interface VllmWeightsOptions {
  readonly client: Client;
  readonly control: EngineControl;
  readonly clock: Pick<Clock, "timer">;
  /** Where the spool is; absent at the edge. */
  readonly files: Files | undefined;
  readonly offer: OfferWeights | undefined;
  /** Absent where no process can be started. */
  readonly nccl:
    | {
        readonly open: OpenNcclRoot;
        readonly transfer: Pick<TransferTarget, "send" | "worldSize">;
        /** A trainer has a group with the server, which another join would break. */
        readonly taken: () => boolean;
      }
    | undefined;
  /** Of the served model, where it could be read. */
  readonly manifest: () => readonly TensorSpec[] | null;
  /** Name and place of the served model; null before the first contact. */
  readonly model: () => {
    readonly id: string;
    readonly root: string;
    readonly devRoutes: boolean;
    /** The output head is the embedding; null = unknown. */
    readonly tied: boolean | null;
  } | null;
  /** Whether the weights are being overwritten or were left half done: then nobody may resume the server. */
  readonly onUnsafe: (unsafe: boolean) => void;
  /** The server was given this label for its weights. */
  readonly onLabel: (label: string) => void;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

/**
 * `backend` of the server's --weight-transfer-config (null without one), and whether it computes on a CPU. The first
 * call takes a real server some seconds.
 */
async function readSetup(client: Client, signal: AbortSignal): Promise<{ backend: string | null; cpu: boolean }> {
  const answer = await client.callIfThere("/server_info?config_format=json", { signal });
  const config = isObject(answer?.value) ? answer.value.vllm_config : undefined;
  const transfer = isObject(config) ? config.weight_transfer_config : undefined;
  const device = isObject(config) ? config.device_config : undefined;
  return {
    backend: isObject(transfer) && typeof transfer.backend === "string" ? transfer.backend : null,
    cpu: isObject(device) && device.device === "cpu",
  };
}

/** Milliseconds in which a server that has just loaded weights must answer one token. */
const ALIVE_MILLISECONDS = 60_000;

/** Creates the target; nothing is sent before `stage`. */
export function createVllmWeights(options: VllmWeightsOptions): WeightTarget {
  const { client, control, clock, onUnsafe } = options;
  /** See `createReloadWay`. */
  let repacks = false;
  /** Why the last one did not go over NCCL. */
  let noNccl = "";
  const { files, nccl } = options;
  const reload =
    files === undefined
      ? undefined
      : createReloadWay(
          client,
          files,
          () => repacks,
          () => noNccl,
        );
  const plugin = options.offer === undefined ? undefined : createPluginWay(client, clock, options.offer);
  const staged = new Map<string, WeightWay>();
  /** A switch that began here has not resumed the server. */
  let pausedHere = false;
  /** A gateway before this one may have left an update of a trainer open. */
  let leftOpen = false;

  /** A way over NCCL, or why there is none. */
  async function openNccl(backend: string | null, signal: AbortSignal): Promise<WeightWay | string> {
    if (backend !== NCCL_BACKEND) {
      return `the server has ${backend === null ? "no weight-transfer backend" : `the backend ${backend}`}, not ${NCCL_BACKEND}`;
    }
    if (nccl === undefined || files === undefined) return "this gateway can start no process for it";
    if (nccl.taken()) {
      return "a trainer has its own group with the server; POST /shutdown_weight_transfer_engine here ends that";
    }
    const root = await nccl.open(client.url, { signal });
    if ("missing" in root) return `it cannot be driven on this machine: ${root.missing}`;
    return createNcclWay({ url: client.url, root, files, transfer: nccl.transfer, spare: reload });
  }

  async function chooseWay(signal: AbortSignal): Promise<WeightWay> {
    const { backend, cpu } = await readSetup(client, signal);
    repacks = cpu && options.model()?.tied === true;
    if (backend === PLUGIN_BACKEND && plugin !== undefined) return plugin;
    if (backend !== PLUGIN_BACKEND) {
      const way = await openNccl(backend, signal);
      if (typeof way !== "string") return way;
      noNccl = way;
      if (reload !== undefined) return reload;
    }
    throw new GatewayError(
      "unsupported",
      `The vLLM server at ${client.url} can take weights here only through the plugin: pip install tidegate-vllm there, and start it with --weight-transfer-config '{"backend":"${PLUGIN_BACKEND}"}'.`,
    );
  }

  /** One token: a server that answers /health and dies with the next generation is found out before anybody needs it. */
  async function checkAlive(signal: AbortSignal): Promise<void> {
    const limit = new AbortController();
    const timer = clock.timer(ALIVE_MILLISECONDS, () =>
      limit.abort(
        new GatewayError("replica_failed", `${client.url} gave no token within ${ALIVE_MILLISECONDS / 1000} s.`),
      ),
    );
    try {
      const json = { model: options.model()?.id, prompt: "1", max_tokens: 1, temperature: 0 };
      await client.call("/v1/completions", { json, signal: AbortSignal.any([signal, limit.signal]) });
    } finally {
      timer.cancel();
    }
  }

  /** Pause, `load`, reset, resume. A server that its owner had paused stays so. */
  async function overwrite(
    version: WeightVersion,
    mode: Parameters<EngineControl["pause"]>[0],
    { signal, check = () => undefined }: GuardedCallOptions,
    load: () => Promise<void>,
  ): Promise<void> {
    // Paused by an earlier attempt of ours that failed, or by its owner: only the owner's pause outlives this.
    const held = !pausedHere && (await control.isPaused({ signal }));
    if (!held) {
      pausedHere = true;
      await control.pause(mode, true, { signal });
    }
    check();
    onUnsafe(true);
    if (leftOpen) {
      // Closes it, with whatever it has: all of it is overwritten next. Where nothing is open the server says so.
      await client
        .callIfThere("/finish_weight_update", { method: "POST", json: {}, signal, once: true })
        .catch(() => undefined);
      signal.throwIfAborted();
      leftOpen = false;
    }
    await load();
    check();
    // Before vLLM 0.30 the server knows no labels.
    const label = String(version);
    if ((await client.callIfThere("/update_weight_version", { json: { new_version: label }, signal })) !== undefined) {
      options.onLabel(label);
    }
    if (!(await control.resetPrefixCache(true, { signal }))) {
      throw new GatewayError("replica_failed", `${client.url} kept its prefix cache of the old weights.`);
    }
    check();
    onUnsafe(false);
    if (held) return;
    await control.resume({ signal });
    pausedHere = false;
    try {
      await checkAlive(signal);
    } catch (error) {
      onUnsafe(true);
      throw error;
    }
  }

  return {
    manifest: options.manifest,
    wholeOnly: "vLLM fuses tensors and overwrites them together; send every tensor of the model.",
    cannot() {
      if (options.model()?.devRoutes !== false) return null;
      return `the server at ${client.url} has no dev routes: start it with VLLM_SERVER_DEV_MODE=1 in its environment.`;
    },
    async stage(id, set, stageOptions) {
      const way = await chooseWay(stageOptions.signal);
      staged.set(id, way);
      return way.stage(id, set, stageOptions);
    },
    async commit(id, version, mode, guarded) {
      const { signal } = guarded;
      const way = staged.get(id);
      if (way === undefined) throw new GatewayError("conflict", `Nothing is staged as ${id} for ${client.url}.`);
      staged.delete(id);
      try {
        await overwrite(version, mode, guarded, () => way.load(id, version, { signal }));
      } finally {
        await way.release?.({ signal });
      }
    },
    async discard(id) {
      const way = staged.get(id);
      staged.delete(id);
      await way?.discard(id).catch(() => undefined);
    },
    adopt() {
      pausedHere = true;
      leftOpen = true;
      onUnsafe(true);
    },
    disown() {
      pausedHere = false;
      leftOpen = false;
      onUnsafe(false);
    },
    async restore(guarded) {
      const { signal } = guarded;
      const root = options.model()?.root;
      // Named, because an earlier reload made another path the server's own.
      const kwargs = root === undefined ? {} : { weights_path: root };
      repacks = options.model()?.tied === true && (await readSetup(client, signal)).cpu;
      await overwrite(0 as WeightVersion, "abort", guarded, async () => {
        await client.call("/collective_rpc", { json: { method: "reload_weights", kwargs }, signal });
        if (repacks) await client.call("/collective_rpc", { json: { method: REPACK_METHOD }, signal });
      });
    },
  };
}
