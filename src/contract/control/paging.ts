/** How lists are cut into pages: newest first, at most `limit`, beginning behind `after`. */
import { z } from "zod";

/** A page never holds more than this: one answer stays small enough for a phone and for a log line. */
export const PAGE_LIMIT = 1000;
export const PAGE_DEFAULT = 100;

export const PageQuery = z.object({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(PAGE_LIMIT)
    .default(PAGE_DEFAULT)
    .meta({ description: `Items at most, 1 to ${PAGE_LIMIT}.`, example: 20 }),
  after: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .meta({ description: "Id of the last item of the page before; the answer begins with the next older one." }),
});
export type PageQuery = z.infer<typeof PageQuery>;
