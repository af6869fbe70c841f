/**
 * The fake's LoRA adapters: routes and texts as recorded from vLLM 0.32 (fixtures lora/), and its prefix cache, which
 * knows an adapter by name and path alone: a second load of the pair answers with the first one's weights until a reset.
 */
import { HttpError } from "./http-error.ts";

interface Held {
  readonly path: string;
  /** Stands for the files as they were when they were read. */
  readonly number: number;
}

/** What the adapters' directories hold: shared by all fakes of a process, as a disk is. Absent = made from the path. */
export const adapterFiles = new Map<string, number>();

const numberOfPath = (path: string): number =>
  adapterFiles.get(path) ?? [...path].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 99_991, 7);

const bad = (type: string, message: string, status = 400): HttpError => HttpError.shaped(status, type, message, null);

export class FakeAdapters {
  readonly #base: readonly string[];
  readonly #inplace: boolean;
  readonly #held = new Map<string, Held>();
  readonly #cached = new Map<string, number>();
  /** `load a1 /path` and so on, in order. */
  readonly calls: string[] = [];

  constructor(base: readonly string[], version: string) {
    this.#base = base;
    // PR #31326, opened in December 2025.
    this.#inplace = Number(/^0\.(\d+)/.exec(version)?.[1] ?? 99) >= 15;
  }

  has(name: string): boolean {
    return this.#held.has(name);
  }

  pathOf(name: string): string | undefined {
    return this.#held.get(name)?.path;
  }

  cards(): { id: string; root: string; parent: string | null; max_model_len: number | null }[] {
    const parent = this.#base[0] ?? null;
    return [...this.#held].map(([id, { path: root }]) => ({ id, root, parent, max_model_len: null }));
  }

  /** What it adds to the weights' number; 0 for a base model. */
  numberOf(name: string): number {
    const held = this.#held.get(name);
    if (held === undefined) return 0;
    const pair = JSON.stringify([name, held.path]);
    const number = this.#cached.get(pair) ?? held.number;
    this.#cached.set(pair, number);
    return number;
  }

  forgetPrefixes(): void {
    this.#cached.clear();
  }

  load(fields: Record<string, unknown>): string {
    for (const field of ["lora_name", "lora_path"]) {
      if (typeof fields[field] === "string") continue;
      const items = Object.keys(fields).length;
      throw HttpError.validation("missing", `body.${field}`, "Field required", `'<dict of ${items} items>'`);
    }
    const name = String(fields.lora_name);
    const path = String(fields.lora_path);
    const inplace = this.#inplace && fields.load_inplace === true;
    if (name === "" || path === "") throw bad("InvalidUserInput", "Both 'lora_name' and 'lora_path' must be provided.");
    if (this.#base.includes(name)) {
      throw bad("InvalidUserInput", `The lora adapter '${name}' conflicts with a served base model.`);
    }
    if (this.#held.has(name) && !inplace) {
      const hint = " If you want to load the adapter in place, set 'load_inplace' to True.";
      const text = `The lora adapter '${name}' has already been loaded.${this.#inplace ? hint : ""}`;
      throw bad("InvalidUserInput", text);
    }
    if (path.includes("no-such-adapter")) {
      throw bad("NotFoundError", `Loading lora ${name} failed: No adapter found for <path>`, 404);
    }
    this.calls.push(`${inplace ? "replace" : "load"} ${name} ${path}`);
    this.#held.set(name, { path, number: numberOfPath(path) });
    return `Success: LoRA adapter '${name}' added successfully.`;
  }

  unload(fields: Record<string, unknown>): string {
    const { lora_name: name } = fields;
    if (typeof name !== "string") {
      const items = Object.keys(fields).length;
      throw HttpError.validation("missing", "body.lora_name", "Field required", `'<dict of ${items} items>'`);
    }
    if (!this.#held.delete(name)) throw bad("NotFoundError", `The lora adapter '${name}' cannot be found.`, 404);
    this.calls.push(`unload ${name}`);
    return `Success: LoRA adapter '${name}' removed successfully.`;
  }
}
