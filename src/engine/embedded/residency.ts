/**
 * The residency of an embedded engine: each member one call to the worker. Remembers the last directive, because a
 * worker that starts again must not take more memory than the one before it was allowed.
 */
import type { Residency, ResidencyDirective, ResidencyReport } from "../engine.ts";
import type { WorkerConnection } from "./connection.ts";

export interface EmbeddedResidency {
  readonly residency: Residency;
  /** What a worker that starts is to follow; `prepare` comes before. */
  readonly directive: () => ResidencyDirective;
  /** Finds out the first directive, where that takes reading. null: it is known. Tried again after a failure. */
  readonly prepare: () => Promise<void> | null;
}

/** Creates it; `connection` throws while no worker serves. */
export function createEmbeddedResidency(options: {
  readonly connection: () => WorkerConnection;
  /** The worker that serves; null while there is none. */
  readonly serving: () => WorkerConnection | null;
  readonly first: ResidencyDirective | (() => Promise<ResidencyDirective>);
}): EmbeddedResidency {
  let ask = typeof options.first === "function" ? options.first : null;
  let directive = typeof options.first === "function" ? {} : options.first;
  const heard = async (call: (worker: WorkerConnection) => Promise<ResidencyReport>): Promise<ResidencyReport> => {
    const worker = options.connection();
    const report = await call(worker);
    worker.heardResidency(report);
    return report;
  };
  return {
    directive: () => directive,
    prepare: () =>
      ask?.().then((first) => {
        directive = first;
        ask = null;
      }) ?? null,
    residency: {
      latest: () => options.serving()?.residency ?? null,
      report: ({ signal }) => heard((worker) => worker.call("residency", {}, { signal })),
      apply: (wished, { signal }) =>
        heard((worker) =>
          worker.call(
            "applyResidency",
            { directive: wished },
            {
              signal,
              // A caller who left does not undo what was done.
              onResult: () => {
                directive = wished;
              },
            },
          ),
        ),
      gather: (groups, { signal }) => heard((worker) => worker.call("gather", { groups }, { signal })),
      release: ({ signal }) => heard((worker) => worker.call("releaseGathered", {}, { signal })),
    },
  };
}
