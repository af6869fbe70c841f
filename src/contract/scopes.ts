/** What an API key may do. `generate` samples, `score` reads logprobs of given text, `weights` changes weights. */
export const SCOPES = ["generate", "score", "weights", "admin", "read"] as const;
export type Scope = (typeof SCOPES)[number];
