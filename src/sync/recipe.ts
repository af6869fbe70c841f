/**
 * Which received sets make up a version: the newest complete set and the later partial ones that still matter. Pure.
 * A partial set whose tensors have all come again later is dropped, so the list never grows beyond the number of tensors.
 */
import type { WeightSet } from "../engine/engine.ts";
import type { DigestEntry } from "../tensor/digest.ts";

export interface RecipeSet {
  /** The sync it came with; also the name of its directory in the spool. */
  readonly id: string;
  readonly set: WeightSet;
  readonly names: ReadonlySet<string>;
}

export interface Recipe {
  /** In order of application. Empty = the model directory's own weights. */
  readonly sets: readonly RecipeSet[];
  /** Hash of every tensor of the model, where all are known: since the last complete set. */
  readonly hashes: ReadonlyMap<string, DigestEntry> | null;
}

export const EMPTY_RECIPE: Recipe = { sets: [], hashes: null };

/** The recipe after one more set. */
export function extendRecipe(
  recipe: Recipe,
  id: string,
  set: WeightSet,
  hashes: ReadonlyMap<string, DigestEntry>,
): Recipe {
  const names = new Set(hashes.keys());
  if (!set.partial) return { sets: [{ id, set, names }], hashes };
  const kept = recipe.sets.filter((earlier, at) => {
    const later = new Set([...recipe.sets.slice(at + 1).flatMap((item) => [...item.names]), ...names]);
    return !earlier.set.partial || [...earlier.names].some((name) => !later.has(name));
  });
  return {
    sets: [...kept, { id, set, names }],
    hashes: recipe.hashes === null ? null : new Map([...recipe.hashes, ...hashes]),
  };
}

/** Ids of sets that the first recipe needs and the second does not. */
export function droppedSets(before: Recipe, after: Recipe): readonly string[] {
  const kept = new Set(after.sets.map(({ id }) => id));
  return before.sets.map(({ id }) => id).filter((id) => !kept.has(id));
}
