/** `"auto"`: what a launcher would have filled in, for a model that only generates. Changes the object it is given. */
import { AUTO, type DeepspeedConfig, isSection, joinPath } from "./check-config.ts";
import { SECTIONS } from "./deepspeed-fields.ts";

/** What the launcher knows. */
export interface LaunchFacts {
  /** Number format of the model: accelerate's word. */
  readonly mixedPrecision: "no" | "fp16" | "bf16" | "fp8";
  /** Processes of the run, each with its device; 1 or more. */
  readonly numProcesses: number;
}

type Note = (path: string, text: string) => void;

const OLD_TERMS = 'TRL 0.15 hands "auto" on, which DeepSpeed takes for a value';

/** fp16 and bf16 by accelerate's rule (`DeepSpeedPlugin.set_mixed_precision`): fp8 computes in bf16. */
function fillPrecision(config: DeepspeedConfig, mixedPrecision: LaunchFacts["mixedPrecision"], note: Note): void {
  for (const [name, on] of [
    ["fp16", mixedPrecision === "fp16"],
    ["bf16", mixedPrecision === "bf16" || mixedPrecision === "fp8"],
  ] as const) {
    const section = config[name];
    if (!isSection(section) || section.enabled !== AUTO) continue;
    section.enabled = on;
    note(`${name}.enabled`, `${on}, since the mixed precision is ${mixedPrecision}; ${OLD_TERMS}.`);
  }
}

/** Batch sizes: nothing is trained, so each process takes one sequence. */
function fillBatches(config: DeepspeedConfig, numProcesses: number, note: Note): void {
  for (const [key, reason] of [
    ["train_micro_batch_size_per_gpu", "1"],
    ["gradient_accumulation_steps", "1"],
  ] as const) {
    if (config[key] !== AUTO) continue;
    config[key] = 1;
    note(key, `${reason}, since nothing is trained; ${OLD_TERMS}.`);
  }
  if (config.train_batch_size === AUTO) {
    const number = (value: unknown): number => (typeof value === "number" ? value : 1);
    const total =
      number(config.train_micro_batch_size_per_gpu) * number(config.gradient_accumulation_steps) * numProcesses;
    config.train_batch_size = total;
    note("train_batch_size", `${total}: micro batch × accumulation steps × ${numProcesses} processes.`);
  }
  if (config.gradient_clipping === AUTO) {
    config.gradient_clipping = 1;
    note("gradient_clipping", "1, accelerate's default.");
  }
}

const hasAuto = (value: unknown): boolean =>
  value === AUTO || (typeof value === "object" && value !== null && Object.values(value).some(hasAuto));

/** A model that only generates has no optimizer; what a trainer's arguments would have filled in is left out. */
function dropTraining(config: DeepspeedConfig, note: Note): void {
  for (const name of ["optimizer", "scheduler"]) {
    if (!isSection(config[name]) || !hasAuto(config[name])) continue;
    delete config[name];
    note(name, `left out: its "auto" values come from a trainer's arguments, and this model is not trained.`);
  }
}

/** What is still "auto" gets DeepSpeed's default; without a known one the key is left out, which means the same. */
function fillDefaults(values: DeepspeedConfig, section: string, note: Note): void {
  const fields = SECTIONS[section] ?? {};
  for (const [key, value] of Object.entries(values)) {
    const path = joinPath(section, key);
    if (isSection(value) && Object.hasOwn(SECTIONS, path)) fillDefaults(value, path, note);
    if (value !== AUTO) continue;
    if (!Object.hasOwn(fields, key)) {
      note(path, 'kept as "auto": DeepSpeed does not know this key.');
      continue;
    }
    const byDefault = fields[key]?.byDefault;
    if (byDefault === undefined) {
      delete values[key];
      note(path, 'left out instead of "auto", so that DeepSpeed takes its own default.');
    } else {
      values[key] = byDefault;
      note(path, `${JSON.stringify(byDefault)}, DeepSpeed's default, instead of "auto".`);
    }
  }
}

/** Replaces every "auto" that has an answer. */
export function fillAutoValues(config: DeepspeedConfig, facts: LaunchFacts, note: Note): void {
  fillPrecision(config, facts.mixedPrecision, note);
  fillBatches(config, facts.numProcesses, note);
  dropTraining(config, note);
  fillDefaults(config, "", note);
}
