/** What every handler finds in `c.var`, put there by the middleware. */
import type { OpenApiDocument } from "../contract/openapi.ts";
import type { Scope } from "../contract/scopes.ts";
import type { Gateway } from "../gateway-types.ts";

/** An authenticated caller. `name` goes to the audit log; the key itself is never kept. */
export interface Caller {
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
}

export interface AppEnv {
  Variables: {
    gateway: Gateway;
    requestId: string;
    caller: Caller;
    /** Aborts when the client left, the deadline passed or the process ends its grace period. */
    signal: AbortSignal;
    /** The OpenAPI document of this app. */
    document: () => OpenApiDocument;
  };
}
