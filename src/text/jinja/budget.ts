/**
 * What one rendering may cost. Templates are untrusted (they come with a model, or in a request), so each evaluated node
 * and each character or element made is charged to one purse. Rendering is synchronous, so the purse in use is one
 * module variable and not a parameter of every helper.
 */

/** Thrown when a template has used up its budget. */
export class BudgetExceeded extends Error {}

let left = Number.POSITIVE_INFINITY;

/** What a node evaluated or an element walked costs, against one unit for a character copied: about their times' ratio. */
export const STEP = 16;

/** Takes `units` (a character each, STEP for a node or an element) from the purse. Throws BudgetExceeded when it is empty. */
export function charge(units: number): void {
  left -= units;
  if (!(left >= 0)) throw new BudgetExceeded("it takes too many steps or makes too much text");
}

/** Runs `work` with a fresh purse of `units`, and gives the former purse back on every path. */
export function withBudget<T>(units: number, work: () => T): T {
  const before = left;
  left = units;
  try {
    return work();
  } finally {
    left = before;
  }
}
