/** The small pieces of a sync on their own: finite scan, recipe, idempotency, pages of history, dropped uploads. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { WeightDigest, WeightVersion } from "../../src/contract/ids.ts";
import { createBlockWriter } from "../../src/sync/block-writer.ts";
import { createFiniteScan } from "../../src/sync/finite.ts";
import { createHistory } from "../../src/sync/history.ts";
import { canonicalJson, createIdempotency } from "../../src/sync/idempotency.ts";
import { manifestDifference } from "../../src/sync/manifest.ts";
import { droppedSets, EMPTY_RECIPE, extendRecipe, type Recipe } from "../../src/sync/recipe.ts";
import { dropUpload } from "../../src/sync/source.ts";
import type { DigestEntry } from "../../src/tensor/digest.ts";
import { widen } from "../../src/tensor/half.ts";
import { createTestPorts, MANIFEST } from "./cases/sync-fakes.ts";

describe("finite scan", () => {
  /** Splits bytes at random places and scans the pieces. */
  const scan = (
    dtype: "F16" | "BF16" | "F32" | "F64",
    bytes: Uint8Array,
    cuts: readonly number[],
  ): number | undefined => {
    const scanner = createFiniteScan(dtype)!;
    const places = [0, ...[...cuts].map((cut) => cut % (bytes.byteLength + 1)).sort((a, b) => a - b), bytes.byteLength];
    let found: number | undefined;
    for (let at = 1; at < places.length; at += 1) found ??= scanner.push(bytes.subarray(places[at - 1], places[at]));
    return found;
  };

  test("finds exactly the first NaN or infinity, however the bytes are cut", () => {
    const cuts = fc.array(fc.nat(200), { maxLength: 8 });
    for (const dtype of ["F16", "BF16", "F32"] as const) {
      const size = dtype === "F32" ? 4 : 2;
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 120 }), cuts, (raw, places) => {
          const bytes = raw.slice(0, raw.byteLength - (raw.byteLength % size));
          const expected = widen(dtype, bytes).findIndex((value) => !Number.isFinite(value));
          assert.equal(scan(dtype, bytes, places) ?? -1, expected);
        }),
        { numRuns: 300 },
      );
    }
    const doubles = fc.array(fc.double(), { maxLength: 12 });
    fc.assert(
      fc.property(doubles, cuts, (values, places) => {
        const bytes = new Uint8Array(new Float64Array(values).buffer);
        assert.equal(
          scan("F64", bytes, places) ?? -1,
          values.findIndex((value) => !Number.isFinite(value)),
        );
      }),
    );
    // Random bits rarely make an F32 exponent of all ones: put one somewhere.
    fc.assert(
      fc.property(
        fc.nat(9),
        fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
        cuts,
        (at, bad, places) => {
          const values = new Float32Array(10).fill(3.4e38);
          values[at] = bad;
          assert.equal(scan("F32", new Uint8Array(values.buffer), places), at);
        },
      ),
    );
  });

  test("integers are not scanned", () => {
    assert.equal(createFiniteScan("I32"), undefined);
    assert.equal(createFiniteScan("F8_E4M3"), undefined);
  });
});

describe("block writer", () => {
  test("the same bytes in order, whatever the pieces; nothing of the caller's is kept; a full disk is ours", async () => {
    const written: Uint8Array[] = [];
    const writer = createBlockWriter({
      write: async (bytes) => void written.push(bytes.slice()),
      close: async () => {},
    });
    const piece = new Uint8Array(3 * 2 ** 20);
    const sent: number[] = [];
    let next = 0;
    for (const length of [5, 0, 2 ** 20 - 5, 1, 65_536, 2 ** 20, 3 * 2 ** 20, 700_000, 700_000, 2 ** 20 - 1, 1, 1]) {
      const bytes = piece.subarray(0, length);
      for (let at = 0; at < length; at += 1) bytes[at] = next++ % 251;
      sent.push(length);
      await writer.write(bytes);
    }
    await writer.flush();
    await writer.flush();
    const total = sent.reduce((sum, length) => sum + length, 0);
    const all = Buffer.concat(written);
    assert.equal(all.byteLength, total);
    assert.ok(all.every((byte, at) => byte === at % 251));
    assert.ok(written.length < sent.length);
    const full = createBlockWriter({
      write: () => Promise.reject(new Error("ENOSPC: no space left on device")),
      close: async () => {},
    });
    await full.write(new Uint8Array(3));
    await assert.rejects(full.flush(), { code: "sync_failed", message: /spool directory cannot be written: ENOSPC/ });
  });
});

describe("recipe", () => {
  const NAMES = ["a", "b", "c", "d"];
  const hashes = (names: readonly string[], step: number): Map<string, DigestEntry> =>
    new Map(names.map((name) => [name, { name, dtype: "F32", shape: [1], sha256: `${step}` }]));
  const apply = (recipe: Recipe): Map<string, string> => {
    const out = new Map<string, string>();
    for (const { id, names } of recipe.sets) for (const name of names) out.set(name, id);
    return out;
  };

  test("dropping covered sets never changes what is loaded, and the list stays short", () => {
    const sets = fc.array(fc.record({ names: fc.subarray(NAMES, { minLength: 1 }), complete: fc.boolean() }), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(sets, (list) => {
        let recipe = EMPTY_RECIPE;
        const truth = new Map<string, string>();
        const kept = new Set<string>();
        for (const [step, { names, complete }] of list.entries()) {
          const all = complete ? NAMES : names;
          const set = { files: [], digest: "sha256:" as WeightDigest, partial: !complete };
          const next = extendRecipe(recipe, `s${step}`, set, hashes(all, step));
          kept.add(`s${step}`);
          for (const id of droppedSets(recipe, next)) assert.ok(kept.delete(id));
          recipe = next;
          if (complete) truth.clear();
          for (const name of all) truth.set(name, `s${step}`);
          assert.deepEqual([...apply(recipe)].sort(), [...truth].sort());
          assert.deepEqual(
            recipe.sets.map(({ id }) => id),
            [...kept],
          );
          assert.ok(recipe.sets.length <= NAMES.length + 1);
          if (recipe.hashes !== null) {
            for (const [name, id] of truth) assert.equal(`s${recipe.hashes.get(name)?.sha256}`, id);
          }
          assert.equal(recipe.hashes === null, !list.slice(0, step + 1).some((item) => item.complete));
        }
      }),
    );
  });
});

describe("idempotency", () => {
  test("forgets the key used longest ago", async () => {
    const keys = createIdempotency<number>(2);
    let made = 0;
    const run = (key: string, fingerprint = ""): Promise<number> =>
      keys.run({
        key,
        fingerprint,
        id: `ws_${made}`,
        async make() {
          made += 1;
          return made;
        },
        recall: () => assert.fail("nothing is kept elsewhere"),
      });
    assert.equal(await run("a"), 1);
    assert.equal(await run("b"), 2);
    assert.equal(await run("a"), 1);
    assert.equal(await run("c"), 3);
    assert.equal(await run("a"), 1, "used again, so kept");
    assert.equal(await run("b"), 4, "forgotten");
    await assert.rejects(run("b", "other"), /used with another request/);
  });

  test("the order of fields does not make another request", () => {
    assert.equal(canonicalJson({ a: 1, b: { d: [1, 2], c: 2 } }), canonicalJson({ b: { c: 2, d: [1, 2] }, a: 1 }));
    assert.notEqual(canonicalJson({ a: [1, 2] }), canonicalJson({ a: [2, 1] }));
  });
});

test("history: newest first, in pages", () => {
  const history = createHistory();
  for (const version of [0, 3, 4, 9]) {
    history.append({
      version: version as WeightVersion,
      label: null,
      digest: null,
      created_at: "2026-01-01T00:00:00.000Z",
      created_by: "start",
      source: "start",
      sync: null,
      servers: [],
    });
  }
  assert.deepEqual(
    history.list({ limit: 2 }).map(({ version }) => version),
    [9, 4],
  );
  assert.deepEqual(
    history.list({ limit: 2, after: "4" }).map(({ version }) => version),
    [3, 0],
  );
  assert.throws(() => history.list({ limit: 1, after: "x" }), { code: "invalid_value" });
  assert.equal(history.get(3)?.version, 3);
});

test("manifests of one model are equal in any order", () => {
  assert.equal(manifestDifference(MANIFEST, [...MANIFEST].reverse()), undefined);
  assert.match(manifestDifference(MANIFEST, MANIFEST.slice(1)) ?? "", /embed/);
  assert.match(manifestDifference(MANIFEST.slice(1), MANIFEST) ?? "", /1 and 2/);
  assert.match(
    manifestDifference(
      MANIFEST,
      MANIFEST.map((spec) => ({ ...spec, dtype: "BF16" })),
    ) ?? "",
    /BF16/,
  );
});

test("a refused upload is read to its end, within bounds", async () => {
  const { clock } = createTestPorts();
  let sent = 0;
  const body = (pieces: number) =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent === pieces) return controller.close();
        sent += 1;
        controller.enqueue(new Uint8Array(2 ** 20));
      },
    });
  await dropUpload(body(5), clock);
  assert.equal(sent, 5);
  sent = 0;
  await dropUpload(body(1000), clock);
  assert.ok(sent >= 16 && sent < 20, `${sent} MiB were read`);
});
