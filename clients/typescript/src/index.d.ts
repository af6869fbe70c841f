import type { Client, ClientOptions } from "openapi-fetch";
import type { components, paths } from "./schema.js";

export type { components, operations, paths } from "./schema.js";

/** A named schema of the OpenAPI document: `Schema<"WeightSync">`. */
export type Schema<Name extends keyof components["schemas"]> = components["schemas"][Name];

/** `client.GET("/api/fleet")`, `client.POST("/v1/chat/completions", { body })`, …; see openapi-fetch. */
export type TidegateClient = Client<paths, "application/json" | "application/problem+json">;

export interface TidegateClientOptions extends ClientOptions {
  /** Sent as `Authorization: Bearer`. */
  apiKey?: string;
}

/** Creates a client. `baseUrl` defaults to `http://127.0.0.1:8000`. */
export function createTidegateClient(options?: TidegateClientOptions): TidegateClient;

export interface ServerSentEvent {
  event: string;
  id: string | undefined;
  data: string;
}

/** Reads a body of server-sent events (`parseAs: "stream"`). Leaving the loop cancels the body. */
export function readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent, void, undefined>;

/** A call that the gateway refused. */
export class TidegateError extends Error {
  status: number;
  code: Schema<"ErrorCode"> | undefined;
  problem: Schema<"Problem"> | undefined;
}

/** Follows a weight sync to its end: yields it after every change, the final state last. */
export function followWeightSync(
  client: TidegateClient,
  id: string,
  options?: { signal?: AbortSignal },
): AsyncGenerator<Schema<"WeightSync">, void, undefined>;
