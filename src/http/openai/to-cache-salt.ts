/** `cache_salt` of a request → its neutral form. */
import type { GenerateRequest } from "../../contract/generation.ts";

/** To be spread into a request; empty where none is named. */
export const toCacheSalt = (fields: {
  readonly cache_salt?: string | null | undefined;
}): Pick<GenerateRequest, "cacheSalt"> =>
  fields.cache_salt === undefined || fields.cache_salt === null ? {} : { cacheSalt: fields.cache_salt };
