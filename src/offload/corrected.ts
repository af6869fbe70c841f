/**
 * `prepare_deepspeed` as it was meant: TRL 0.15's transformation without its defects, each difference explained. The
 * exact original is `original.ts`.
 */
import { invalidValue } from "../errors.ts";
import { fillAutoValues, type LaunchFacts } from "./auto-values.ts";
import { AUTO, checkDeepspeedConfig, type DeepspeedConfig, isSection } from "./check-config.ts";

export interface CorrectedOptions extends Partial<LaunchFacts> {
  /** null = unknown. */
  readonly hiddenSize: number | null;
  readonly offloadToCpu?: boolean;
}

export interface CorrectedResult {
  /** A fresh object. */
  readonly config: DeepspeedConfig;
  /** `path: what and why`, in the order of the decisions. */
  readonly notes: readonly string[];
  /** Keys that DeepSpeed does not know; they are kept. */
  readonly unknownKeys: readonly string[];
}

type Note = (path: string, text: string) => void;

const ZERO = "zero_optimization";

/** accelerate's `zero_stage` when nobody says one. */
const ACCELERATE_STAGE = 2;

/** The section, made where the original would fail. */
function openZero(config: DeepspeedConfig, note: Note): DeepspeedConfig {
  const given = config[ZERO];
  if (isSection(given)) return given;
  const zero: DeepspeedConfig = { stage: given === true ? 1 : 0 };
  config[ZERO] = zero;
  if (given === undefined) note(ZERO, "created, with DeepSpeed's default of stage 0; TRL 0.15 fails (KeyError).");
  else note(ZERO, `${given} is DeepSpeed's deprecated form of stage ${zero.stage}; TRL 0.15 fails (TypeError).`);
  return zero;
}

function settleStage(zero: DeepspeedConfig, note: Note): void {
  const path = `${ZERO}.stage`;
  if (zero.stage === undefined) {
    zero.stage = 0;
    note(path, "0, DeepSpeed's default; TRL 0.15 fails (KeyError).");
  } else if (zero.stage === AUTO) {
    note(
      path,
      `0: "auto" is accelerate's default of stage ${ACCELERATE_STAGE}, which a model that only generates has no use for.`,
    );
    zero.stage = 0;
  } else if (zero.stage !== 3 && zero.stage !== 0) {
    note(
      path,
      `0 instead of ${zero.stage}: a model that only generates has no gradients and no optimizer to share out.`,
    );
    zero.stage = 0;
  }
}

/** The keys that depend on the hidden size, where DeepSpeed reads them. */
function setHiddenSizeKeys(zero: DeepspeedConfig, hiddenSize: number, note: Note): void {
  // Left to right in binary64 as the original; rounded down, since DeepSpeed takes whole numbers only.
  const prefetch = Math.floor(0.9 * hiddenSize * hiddenSize);
  for (const [key, value, formula, alias] of [
    ["reduce_bucket_size", hiddenSize * hiddenSize, "hidden size²", null],
    ["stage3_param_persistence_threshold", 10 * hiddenSize, "10 × hidden size", "param_persistence_threshold"],
    ["stage3_prefetch_bucket_size", prefetch, "0.9 × hidden size², rounded down", "prefetch_bucket_size"],
  ] as const) {
    const before = zero[key] ?? (alias === null ? undefined : zero[alias]);
    if (alias !== null) delete zero[alias];
    zero[key] = value;
    const was = before === undefined || before === value ? "" : ` instead of ${JSON.stringify(before)}`;
    note(
      `${ZERO}.${key}`,
      `${value}${was} (${formula}, hidden size ${hiddenSize}). TRL 0.15 writes it to a top-level key "${ZERO}.${key}" that DeepSpeed never reads.`,
    );
  }
}

function offloadToCpu(zero: DeepspeedConfig, note: Note): void {
  for (const name of ["offload_optimizer", "offload_param"]) {
    const path = `${ZERO}.${name}`;
    const given = zero[name];
    if (!isSection(given)) {
      zero[name] = { device: "cpu" };
      note(path, `created with device "cpu"; TRL 0.15 with this flag fails without the section.`);
      continue;
    }
    if (given.device !== "cpu") {
      const was = given.device === undefined ? "" : ` instead of ${JSON.stringify(given.device)}`;
      note(`${path}.device`, `"cpu"${was}, since offloading to the cpu was asked for.`);
    }
    given.device = "cpu";
  }
}

/** What DeepSpeed says to the result, as far as it is known beforehand. */
function warn(config: DeepspeedConfig, zero: DeepspeedConfig, unknown: readonly string[], note: Note): void {
  const inZero = unknown.filter((path) => path.startsWith(`${ZERO}.`) && !Object.hasOwn(config, path));
  for (const path of inZero) note(path, "kept. DeepSpeed refuses keys of this section that it does not know.");
  for (const path of unknown) if (!inZero.includes(path)) note(path, "kept. DeepSpeed does not know this key.");
  const param = zero.offload_param;
  if (!isSection(param) || param.device === undefined || param.device === "none") return;
  if (zero.stage !== 3) note(`${ZERO}.offload_param`, "has no effect in DeepSpeed: it is for stage 3 only.");
  else if (param.device === "nvme" && (param.nvme_path ?? null) === null) {
    note(
      `${ZERO}.offload_param.nvme_path`,
      "missing. DeepSpeed needs it; here weights are read from the model's files.",
    );
  }
}

function checkPrecision(config: DeepspeedConfig): void {
  const on = (name: string): boolean => isSection(config[name]) && (config[name] as DeepspeedConfig).enabled === true;
  if (on("fp16") && (on("bf16") || on("bfloat16"))) {
    throw invalidValue("bf16.enabled", true, "false when fp16.enabled is true");
  }
}

/**
 * The configuration that the original meant to hand to DeepSpeed: the hidden-size dependent keys where they are read, no
 * "auto" left, missing sections made. `config` is not changed.
 *
 * @throws GatewayError `invalid_value` for a value of the wrong type, by its path.
 *
 * @example
 * ```ts
 * import { toCorrectedConfig } from "./corrected.ts";
 * const given = { zero_optimization: { stage: 3, reduce_bucket_size: "auto" } };
 * const { config, notes } = toCorrectedConfig(given, { hiddenSize: 64 });
 * const zero = config.zero_optimization as Record<string, unknown>;
 * if (zero.reduce_bucket_size !== 4096 || notes.length === 0) throw new Error("not where DeepSpeed reads it");
 * ```
 */
export function toCorrectedConfig(config: DeepspeedConfig, options: CorrectedOptions): CorrectedResult {
  const unknownKeys = checkDeepspeedConfig(config);
  const notes: string[] = [];
  const note: Note = (path, text) => void notes.push(`${path}: ${text}`);
  const out = structuredClone(config);
  const zero = openZero(out, note);
  settleStage(zero, note);
  const { hiddenSize } = options;
  if (zero.stage === 3) {
    if (hiddenSize === null || hiddenSize === 0) {
      note(ZERO, "the model tells no hidden size; the keys that depend on it stay as they are.");
    } else setHiddenSizeKeys(zero, hiddenSize, note);
  }
  if (options.offloadToCpu === true) offloadToCpu(zero, note);
  fillAutoValues(
    out,
    { mixedPrecision: options.mixedPrecision ?? "no", numProcesses: options.numProcesses ?? 1 },
    note,
  );
  checkPrecision(out);
  warn(out, zero, unknownKeys, note);
  return { config: out, notes, unknownKeys };
}
