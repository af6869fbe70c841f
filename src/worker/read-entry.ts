/** Reads one initializer of a decoder's graph: its checkpoint tensors one after the other, in the kernel's layout. */
import { placeHeads } from "./graph/pad-heads.ts";
import type { WeightPlanEntry } from "./graph/weight-plan.ts";
import { freeMemory } from "./native/memory.ts";
import type { TensorSource } from "./read-weights.ts";

/** Elements of a shape. */
export const toElements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/**
 * @param target of the entry's size, zero where heads are padded
 * @param onBytes called with the bytes read of each tensor
 */
export async function readEntry(
  entry: WeightPlanEntry,
  source: TensorSource,
  target: Float32Array,
  onBytes: (bytes: number) => void,
): Promise<void> {
  let offset = 0;
  for (const { name, shape } of entry.parts) {
    const size = toElements(shape);
    if (entry.padding === null) {
      onBytes(await source.read(name, target.subarray(offset, offset + size)));
      offset += size;
    } else {
      const plain = new Float32Array(size);
      onBytes(await source.read(name, plain));
      placeHeads(plain, shape[1] ?? 1, target.subarray(offset), entry.padding);
      freeMemory(plain);
      offset += (size / entry.padding.headDim) * entry.padding.kernelHeadDim;
    }
  }
  if (entry.scale !== 1) for (let index = 0; index < target.length; index++) target[index]! *= entry.scale;
}
