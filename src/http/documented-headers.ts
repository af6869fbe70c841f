/**
 * Headers of generation calls for the OpenAPI document. `wishes.ts` reads the request's, `stamp.ts` writes the
 * answer's; given as plain parameters, so that nothing validates them a second time on the way.
 */

const header = (name: string, description: string, example: string) => ({
  name,
  in: "header" as const,
  required: false,
  description,
  schema: { type: "string" as const },
  example,
});

/** Freshness and stickiness; bad values are 400 naming the header. */
export const GENERATION_PARAMETERS = [
  header("x-min-weight-version", "Only weights of this version or newer.", "7"),
  header("x-exact-weight-version", "Only weights of exactly this version.", "7"),
  header("x-max-weight-lag", "At most so many versions behind the newest.", "1"),
  header("x-weight-wait", "Seconds to wait for fresh enough weights before 412; default 0.", "2.5"),
  header("x-session-id", "Calls with one id go to one replica while it serves.", "rollout-17"),
];

/** On every answer of a generation. */
export const STAMP_HEADERS = {
  "x-weight-version": {
    description: "Weights that made every token of this answer; `7-8` when they changed meanwhile.",
    schema: { type: "string" as const, example: "7" },
  },
  "x-weight-digest": {
    description: "Digest of those weights, where it is known.",
    schema: { type: "string" as const, example: `sha256:${"0f".repeat(32)}` },
  },
  "x-adapter-version": {
    description: "Version of the LoRA adapter that answered; only where `model` named one that was loaded here.",
    schema: { type: "string" as const, example: "2" },
  },
  "x-served-by": { description: "Id of the replica.", schema: { type: "string" as const, example: "embedded-0" } },
};
