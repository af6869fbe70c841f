/**
 * What a received set is made of, written beside its files, so that a gateway that starts again knows which weights it
 * has. Only where the spool outlives the process.
 */
import type { WeightDigest } from "../contract/ids.ts";
import type { WeightSet } from "../engine/engine.ts";
import type { Files } from "../ports.ts";
import type { DigestEntry } from "../tensor/digest.ts";
import { EMPTY_RECIPE, extendRecipe, type Recipe } from "./recipe.ts";

const NAME = "set.json";
/** About 150 bytes per tensor; models with a hundred thousand tensors have come. */
const FILE_LIMIT = 64 * 2 ** 20;

interface KeptSet {
  readonly digest: WeightDigest;
  readonly partial: boolean;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  readonly tensors: readonly DigestEntry[];
}

const nameOf = (path: string): string => path.slice(path.replaceAll("\\", "/").lastIndexOf("/") + 1);

/** Writes it down. The set's files are complete. */
export async function keepSet(
  files: Files,
  directory: string,
  set: WeightSet,
  hashes: ReadonlyMap<string, DigestEntry>,
): Promise<void> {
  const parts = await Promise.all(
    set.files.map(async (path) => ({ name: nameOf(path), bytes: (await files.stat(path))?.size ?? -1 })),
  );
  const kept: KeptSet = { digest: set.digest, partial: set.partial, files: parts, tensors: [...hashes.values()] };
  const writer = await files.openWrite(files.resolve(directory, NAME));
  await writer.write(new TextEncoder().encode(JSON.stringify(kept)));
  await writer.close();
}

/** Reads one; throws when anything of it is not as it was written. */
async function readSet(files: Files, directory: string): Promise<{ set: WeightSet; hashes: Map<string, DigestEntry> }> {
  const kept = JSON.parse(await files.readText(files.resolve(directory, NAME), FILE_LIMIT)) as KeptSet;
  const paths: string[] = [];
  for (const { name, bytes } of kept.files) {
    const path = files.resolve(directory, nameOf(name));
    const stat = await files.stat(path);
    if (stat?.size !== bytes) throw new Error(`${path} has ${stat?.size ?? "no"} bytes instead of ${bytes}`);
    paths.push(path);
  }
  const hashes = new Map(kept.tensors.map((entry) => [entry.name, entry]));
  return { set: { files: paths, digest: kept.digest, partial: kept.partial }, hashes };
}

/** What the sets of these directories make together, in order. Throws when one is not whole any more. */
export async function readRecipe(
  files: Files,
  sets: readonly { readonly id: string; readonly directory: string }[],
): Promise<Recipe> {
  let recipe = EMPTY_RECIPE;
  for (const { id, directory } of sets) {
    const { set, hashes } = await readSet(files, directory);
    recipe = extendRecipe(recipe, id, set, hashes);
  }
  return recipe;
}
