/** The header parser, the reader and the writer against files and verdicts of the reference library (0.8.0). */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { parseSafetensorsHeader } from "../../src/tensor/safetensors.ts";
import { openWeights, parseShardIndex } from "../../src/tensor/weights.ts";
import { type TensorToWrite, writeSafetensors } from "../../src/tensor/write.ts";
import { createMemoryFiles } from "./cases/memory-files.ts";

const fixture = (path: string): URL => new URL(`../fixtures/safetensors/${path}`, import.meta.url);
const bytesOf = (path: string): Uint8Array => new Uint8Array(readFileSync(fixture(path)));
const json = (path: string) => JSON.parse(readFileSync(fixture(path), "utf8"));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

interface Expected {
  readonly metadata: Record<string, string> | null;
  readonly tensors: Record<string, { dtype: string; shape: number[]; bytes: string }>;
}
interface ValidCase {
  readonly name: string;
  readonly file: string;
  readonly written_by: string;
  readonly file_bytes: number;
  readonly header_bytes: number;
  readonly tensor_order_in_data: string[];
  readonly expected: Expected;
}
interface MalformedCase {
  readonly name: string;
  readonly file: string;
  readonly expected: { deserialize: { accepted: boolean; tensors?: string[] }; safe_open: { accepted: boolean } };
}

/** Own entries of a JSON object, `__proto__` included. */
const own = <T>(object: Record<string, T>): Map<string, T> => new Map(Object.entries(object));

const file = (header: string, data = 0): Uint8Array => {
  const text = new TextEncoder().encode(header);
  const out = new Uint8Array(8 + text.byteLength + data);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.byteLength), true);
  out.set(text, 8);
  return out;
};
const refusal = (bytes: Uint8Array): GatewayError => {
  try {
    parseSafetensorsHeader(bytes, bytes.byteLength);
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "accepted" });
};

describe("valid files of the reference library", () => {
  const cases: ValidCase[] = json("valid.json").cases;
  for (const item of cases) {
    test(item.name, async () => {
      const bytes = bytesOf(item.file);
      const header = parseSafetensorsHeader(bytes, bytes.byteLength);
      assert.equal(header.dataStart, 8 + item.header_bytes);
      assert.equal(header.fileSize, item.file_bytes);
      const expected = own(item.expected.tensors);
      assert.deepEqual(header.tensors.map(({ name }) => name).sort(), [...expected.keys()].sort());
      for (const { name, dtype, shape, offset, byteLength } of header.tensors) {
        assert.equal(dtype, expected.get(name)?.dtype);
        assert.deepEqual(shape, expected.get(name)?.shape);
        assert.equal(hex(bytes.subarray(offset, offset + byteLength)), expected.get(name)?.bytes);
      }
      const metadata = header.metadata === null ? null : [...header.metadata].sort();
      assert.deepEqual(metadata, item.expected.metadata === null ? null : [...own(item.expected.metadata)].sort());
      if (item.name !== "empty-tensors") {
        assert.deepEqual(
          header.tensors.map(({ name }) => name),
          item.tensor_order_in_data,
        );
      }

      const files = createMemoryFiles({ "/m.safetensors": bytes });
      const weights = await openWeights(files, "/m.safetensors");
      for (const [name, tensor] of expected) {
        assert.equal(hex(await weights.read(name)), tensor.bytes);
        let chunked = "";
        for await (const chunk of weights.chunks(name, 3)) {
          assert.ok(chunk.byteLength <= 3);
          chunked += hex(chunk);
        }
        assert.equal(chunked, tensor.bytes);
      }
      await weights.close();
      await weights.close();
      assert.equal(files.open(), 0);
    });
  }

  // Files with several metadata keys come in random key order from the reference; the others must be equal to the byte.
  for (const item of cases.filter((each) => each.written_by === "safetensors")) {
    const metadata = item.expected.metadata ?? undefined;
    if (metadata !== undefined && Object.keys(metadata).length > 1) continue;
    test(`written again, byte for byte: ${item.name}`, async () => {
      const tensors = [...own(item.expected.tensors)].map(
        ([name, { dtype, shape, bytes }]): TensorToWrite => ({
          name,
          dtype: dtype as TensorToWrite["dtype"],
          shape,
          data: () => new Uint8Array(Buffer.from(bytes, "hex")),
        }),
      );
      const files = createMemoryFiles();
      const writer = await files.openWrite("/out");
      await writeSafetensors(writer, tensors.reverse(), metadata);
      await writer.close();
      assert.equal(hex(files.entries.get("/out")!), hex(bytesOf(item.file)));
    });
  }
});

describe("malformed files: the verdict of the reference library", () => {
  for (const { name, file: path, expected } of json("malformed.json").cases as MalformedCase[]) {
    test(name, async () => {
      const bytes = bytesOf(path);
      assert.equal(expected.deserialize.accepted, expected.safe_open.accepted);
      const files = createMemoryFiles({ "/m.safetensors": bytes });
      if (expected.deserialize.accepted) {
        const header = parseSafetensorsHeader(bytes, bytes.byteLength);
        assert.deepEqual(header.tensors.map((tensor) => tensor.name).sort(), expected.deserialize.tensors);
        const weights = await openWeights(files, "/m.safetensors");
        await weights.close();
        return;
      }
      const { code } = refusal(bytes);
      assert.match(code, /^weights_(malformed|truncated|duplicate_tensor)$/);
      await assert.rejects(openWeights(files, "/m.safetensors"), { name: "GatewayError", code });
      assert.equal(files.open(), 0);
    });
  }

  test("a fault of one tensor names it", () => {
    for (const [path, tensor, code] of [
      ["duplicate-names", "a", "weights_duplicate_tensor"],
      ["overlap", "b", "weights_malformed"],
      ["hole", "b", "weights_malformed"],
      ["hole-at-start", "a", "weights_malformed"],
      ["offsets-beyond-file", "a", "weights_truncated"],
      ["unknown-dtype", "a", "weights_malformed"],
      ["shape-product-overflow", "a", "weights_malformed"],
      ["trailing-one-byte", "a", "weights_malformed"],
    ] as const) {
      const error = refusal(bytesOf(`malformed/${path}.safetensors`));
      assert.equal(error.code, code, path);
      assert.equal(error.details.tensor, tensor, path);
      assert.match(error.message, new RegExp(`"${tensor}"|follow`), path);
    }
  });

  test("headers beyond the fixtures", () => {
    const entry = '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}';
    const refused: [string, number][] = [
      [`{"a":${entry},"a":${entry}}`, 1],
      [`{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1],
      [`{"__metadata__":{},"__metadata__":{},"a":${entry}}`, 1],
      [`\ufeff{"a":${entry}}`, 1],
      [`{"\\ud800":${entry}}`, 1],
      [`{"a":{"dtype":"U8","shape":[01],"data_offsets":[0,1]}}`, 1],
      [`{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}`, 1],
      [`{"a":{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}}`, 0],
      [`{"a":["U8",[1],[0,1],0]}`, 1],
      [`{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}`, 1],
      [`{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}`, 2],
      [`{"a":{"dtype":"U8","shape":[8589934592,8589934592,0],"data_offsets":[0,0]}}`, 0],
      [`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":${"[".repeat(200)}${"]".repeat(200)}}}`, 1],
      [`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1e999}}`, 1],
      [`{"a\tb":${entry}}`, 1],
    ];
    for (const [header, data] of refused) refusal(file(header, data));
    const accepted: [string, number][] = [
      [`{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}`, 1],
      [`{"a":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[0,3]}}`, 3],
      [`{"a":{"dtype":"U8","shape":[0,8589934592,8589934592],"data_offsets":[0,0]}}`, 0],
      [`{"__metadata__":{"k":"1","k":"2"},"a":${entry}}`, 1],
      [`\r\n\t {"a":${entry}}\n`, 1],
      [`{"a\\\\":${entry}}`, 1],
      ["{}", 0],
    ];
    for (const [header, data] of accepted) {
      const bytes = file(header, data);
      parseSafetensorsHeader(bytes, bytes.byteLength);
    }
  });

  test("a stream of unknown size learns the size it must have", () => {
    const bytes = bytesOf("malformed/trailing-bytes.safetensors");
    const header = parseSafetensorsHeader(bytes, null);
    assert.equal(header.fileSize, bytes.byteLength - 8);
  });
});

describe("shards", () => {
  const folder = (name: string) => {
    const names = name === "one" ? ["model-00001-of-00001"] : [1, 2, 3].map((n) => `model-0000${n}-of-00003`);
    const content: Record<string, Uint8Array> = {
      "/m/model.safetensors.index.json": bytesOf(`sharded/${name}/model.safetensors.index.json`),
    };
    for (const shard of names) content[`/m/${shard}.safetensors`] = bytesOf(`sharded/${name}/${shard}.safetensors`);
    return createMemoryFiles(content);
  };
  const withIndex = (map: string) => {
    const files = folder("three");
    files.entries.set("/m/model.safetensors.index.json", new TextEncoder().encode(`{"weight_map":${map}}`));
    return files;
  };

  for (const { name, expected } of json("sharded.json").cases as { name: string; expected: Expected["tensors"] }[]) {
    test(`union of ${name}`, async () => {
      const weights = await openWeights(folder(name), "/m");
      assert.deepEqual([...weights.tensors.keys()].sort(), Object.keys(expected).sort());
      for (const [key, tensor] of Object.entries(expected)) assert.equal(hex(await weights.read(key)), tensor.bytes);
      await weights.close();
    });
  }

  const refused = async (files: ReturnType<typeof createMemoryFiles>, code: string, tensor?: string) => {
    await assert.rejects(openWeights(files, "/m"), (error: unknown) => {
      assert.ok(error instanceof GatewayError);
      assert.equal(error.code, code, error.message);
      assert.equal(error.details.tensor, tensor);
      return true;
    });
    assert.equal(files.open(), 0);
  };
  const map = (change: Record<string, string | null>) => {
    const text = new TextDecoder().decode(bytesOf("sharded/three/model.safetensors.index.json"));
    const full = { ...JSON.parse(text).weight_map, ...change };
    return JSON.stringify(Object.fromEntries(Object.entries(full).filter(([, value]) => value !== null)));
  };

  test("no path leaves the directory", async () => {
    for (const path of [
      "../secret.safetensors",
      "/etc/x.safetensors",
      "a/../../b.safetensors",
      "..\\x.safetensors",
      "",
    ]) {
      await refused(withIndex(map({ head: path })), "weights_malformed", "head");
    }
  });
  test("a tensor that is not where the index says", async () => {
    await refused(withIndex(map({ head: "model-00001-of-00003.safetensors" })), "weights_missing_tensor", "head");
    await refused(withIndex(map({ ghost: "model-00001-of-00003.safetensors" })), "weights_missing_tensor", "ghost");
  });
  test("a tensor that the index does not name", async () => {
    await refused(withIndex(map({ embed: null })), "weights_malformed", "embed");
  });
  test("a tensor in two shards", async () => {
    const files = folder("three");
    files.entries.set("/m/model-00002-of-00003.safetensors", files.entries.get("/m/model-00001-of-00003.safetensors")!);
    await refused(files, "weights_duplicate_tensor", "embed");
  });
  test("a name doubled in the index", () => {
    assert.throws(() => parseShardIndex('{"weight_map":{"a":"x.safetensors","a":"x.safetensors"}}', "i"), {
      code: "weights_duplicate_tensor",
    });
  });
  test("missing shard, missing everything, no such path", async () => {
    const files = folder("three");
    files.entries.delete("/m/model-00003-of-00003.safetensors");
    await refused(files, "source_unreadable");
    await refused(createMemoryFiles({ "/m/config.json": "{}" }), "source_unreadable");
    await refused(createMemoryFiles(), "source_unreadable");
  });
});

describe("writer", () => {
  const tensor = (data: TensorToWrite["data"]): TensorToWrite => ({ name: "w", dtype: "F32", shape: [2], data });
  const write = async (tensors: TensorToWrite[]) => {
    const files = createMemoryFiles();
    const writer = await files.openWrite("/out");
    await writeSafetensors(writer, tensors);
    await writer.close();
    return files.entries.get("/out")!;
  };
  test("takes streams", async () => {
    const bytes = await write([
      tensor(async function* () {
        yield new Uint8Array(3);
        yield new Uint8Array(5);
      }),
    ]);
    parseSafetensorsHeader(bytes, bytes.byteLength);
  });
  test("refuses data of another length, by name", async () => {
    for (const size of [7, 9]) {
      await assert.rejects(write([tensor(() => new Uint8Array(size))]), {
        code: "weights_malformed",
        details: { tensor: "w" },
      });
    }
    await assert.rejects(write([tensor(() => new Uint8Array(8)), tensor(() => new Uint8Array(8))]), {
      code: "weights_duplicate_tensor",
    });
  });
});
