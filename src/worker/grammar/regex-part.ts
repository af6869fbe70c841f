/** A part of a regular expression as the parser hands it on. */
import type { CharSet } from "./charset.ts";
import type { GrammarNode } from "./nodes.ts";

/** A parsed part: its texts, and how many characters they have. */
export interface RegexPart {
  readonly node: GrammarNode;
  readonly least: number;
  readonly most: number;
  /** Set where it is one class repeated; then its length can be bounded further. */
  readonly repeated?: CharSet;
  /** It holds `^`: nothing may come before it. */
  readonly opens?: boolean;
  /** It holds `$`: nothing may come after it. */
  readonly closes?: boolean;
}

/** What of some parts holds for a whole that is made of them. */
export const anchorsOf = (parts: readonly RegexPart[]): Pick<RegexPart, "opens" | "closes"> => ({
  ...(parts.some(({ opens }) => opens === true) ? { opens: true } : {}),
  ...(parts.some(({ closes }) => closes === true) ? { closes: true } : {}),
});
