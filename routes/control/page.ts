/** From the query of a list to the page that the gateway takes. */
import type { PageQuery } from "../../src/contract/control/paging.ts";
import type { Page } from "../../src/gateway-types.ts";

export function toPage({ limit, after }: PageQuery): Page {
  return after === undefined ? { limit } : { limit, after };
}
