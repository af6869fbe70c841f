/** Mutated frames for the fuzz tests, from recorded ones. Deterministic: everything comes from fast-check's values. */
import { Buffer } from "node:buffer";
import fc from "fast-check";

/** Lengths and counts that break careless readers. */
const EDGES = [0n, 1n, 8193n, 2n ** 23n + 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];

type Edit =
  | { readonly kind: "flip"; readonly at: number; readonly bit: number }
  | { readonly kind: "edge"; readonly at: number; readonly value: bigint }
  | { readonly kind: "cut"; readonly at: number }
  | { readonly kind: "drop" | "repeat"; readonly at: number; readonly count: number }
  | { readonly kind: "insert"; readonly at: number; readonly bytes: Uint8Array };

const position = fc.double({ min: 0, max: 1, noNaN: true });
const count = fc.integer({ min: 1, max: 16 });

const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ kind: fc.constant("flip" as const), at: position, bit: fc.integer({ min: 0, max: 7 }) }),
  fc.record({ kind: fc.constant("edge" as const), at: position, value: fc.constantFrom(...EDGES) }),
  fc.record({ kind: fc.constant("cut" as const), at: position }),
  fc.record({ kind: fc.constantFrom("drop" as const, "repeat" as const), at: position, count }),
  fc.record({ kind: fc.constant("insert" as const), at: position, bytes: fc.uint8Array({ maxLength: 24 }) }),
);

function apply(bytes: Uint8Array, change: Edit): Uint8Array {
  const at = Math.min(bytes.length, Math.floor(change.at * (bytes.length + 1)));
  const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (change.kind) {
    case "cut":
      return head;
    case "drop":
      return Buffer.concat([head, tail.subarray(change.count)]);
    case "repeat":
      return Buffer.concat([head, tail.subarray(0, change.count), tail]);
    case "insert":
      return Buffer.concat([head, change.bytes, tail]);
    case "flip":
      return Uint8Array.from(bytes, (byte, index) => (index === at ? byte ^ (1 << change.bit) : byte));
    case "edge": {
      const value = Buffer.alloc(8);
      value.writeBigUInt64LE(change.value);
      return Buffer.concat([head, value, tail.subarray(8)]);
    }
  }
}

/** One of the frames, or several in a row, with one to four edits. */
export function mutated(frames: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const some = fc.array(fc.constantFrom(...frames), { minLength: 1, maxLength: 4 });
  const edits = fc.array(edit, { minLength: 1, maxLength: 4 });
  return fc.tuple(some, edits).map(([chosen, changes]) => changes.reduce(apply, Buffer.concat(chosen) as Uint8Array));
}
