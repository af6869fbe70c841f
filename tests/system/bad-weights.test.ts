/** Every kind of bad weight file, uploaded and from disk: refused with the tensor's name, and nothing has changed. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Fleet } from "../../src/contract/control/fleet.ts";
import { ask, json, modelPath, repository, type Served, serve } from "./serve.ts";

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}
type Header = Record<string, Entry>;

interface Checkpoint {
  readonly header: Header;
  readonly data: Uint8Array;
}

interface Problem {
  readonly code: string;
  readonly detail: string;
}

const NAME = "model.layers.0.self_attn.q_proj.weight";
const OTHER = "model.layers.1.mlp.down_proj.weight";

async function readCheckpoint(path: string): Promise<Checkpoint> {
  const bytes = new Uint8Array(await readFile(path));
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const { __metadata__: _, ...header } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  return { header, data: bytes.slice(8 + length) };
}

/** A file of a header (text or value) and data. */
function toFile(header: Header | string, data: Uint8Array): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  file.set(data, 8 + text.length);
  return file;
}

/** The same tensors without `name`, data closed up. */
function without(name: string, { header, data }: Checkpoint): Uint8Array {
  const entry = header[name] as Entry;
  const [begin, end] = entry.data_offsets;
  const size = end - begin;
  const rest = Object.entries(header).filter(([key]) => key !== name);
  const moved = rest.map(([key, value]): [string, Entry] => {
    const [from, to] = value.data_offsets;
    return [key, { ...value, data_offsets: from >= end ? [from - size, to - size] : [from, to] }];
  });
  const kept = new Uint8Array(data.length - size);
  kept.set(data.subarray(0, begin));
  kept.set(data.subarray(end), begin);
  return toFile(Object.fromEntries(moved), kept);
}

/** A bf16 value put into the middle of a tensor. */
function withValue(name: string, bits: number, { header, data }: Checkpoint): Uint8Array {
  const copy = data.slice();
  const [begin, end] = (header[name] as Entry).data_offsets;
  new DataView(copy.buffer).setUint16(begin + Math.floor((end - begin) / 4) * 2, bits, true);
  return toFile(header, copy);
}

const change = (name: string, to: Partial<Entry>, { header, data }: Checkpoint): Uint8Array =>
  toFile({ ...header, [name]: { ...(header[name] as Entry), ...to } }, data);

const BAD: readonly { what: string; code: string; tensor: string | null; make: (good: Checkpoint) => Uint8Array }[] = [
  {
    what: "truncated data",
    code: "weights_truncated",
    tensor: null,
    make: ({ header, data }) => toFile(header, data.subarray(0, data.length - 1000)),
  },
  {
    what: "a header length beyond the file",
    code: "weights_",
    tensor: null,
    make: (good) => {
      const file = toFile(good.header, good.data);
      new DataView(file.buffer).setBigUint64(0, 2n ** 62n, true);
      return file;
    },
  },
  {
    what: "offsets beyond the file",
    code: "weights_",
    tensor: NAME,
    make: (good) => change(NAME, { data_offsets: [0, 2 ** 40] }, good),
  },
  {
    what: "overlapping offsets",
    code: "weights_malformed",
    tensor: null,
    make: (good) => change(NAME, { data_offsets: (good.header[OTHER] as Entry).data_offsets }, good),
  },
  {
    what: "a wrong dtype",
    code: "weights_dtype_mismatch",
    tensor: NAME,
    make: (good) => change(NAME, { dtype: "F16" }, good),
  },
  {
    what: "a wrong shape",
    code: "weights_shape_mismatch",
    tensor: NAME,
    make: (good) => change(NAME, { shape: [(good.header[NAME] as Entry).shape.reduce((a, b) => a * b, 1)] }, good),
  },
  { what: "a missing tensor", code: "weights_missing_tensor", tensor: OTHER, make: (good) => without(OTHER, good) },
  {
    what: "an extra tensor",
    code: "weights_unexpected_tensor",
    tensor: "model.extra.weight",
    make: ({ header, data }) => {
      const more = new Uint8Array(data.length + 4);
      more.set(data);
      return toFile(
        {
          ...header,
          "model.extra.weight": { dtype: "BF16", shape: [2], data_offsets: [data.length, data.length + 4] },
        },
        more,
      );
    },
  },
  {
    what: "a doubled tensor",
    code: "weights_duplicate_tensor",
    tensor: NAME,
    make: ({ header, data }) => {
      const text = JSON.stringify(header);
      return toFile(`${text.slice(0, -1)},${JSON.stringify(NAME)}:${JSON.stringify(header[NAME])}}`, data);
    },
  },
  { what: "a NaN", code: "weights_non_finite", tensor: OTHER, make: (good) => withValue(OTHER, 0x7fc0, good) },
  { what: "an infinity", code: "weights_non_finite", tensor: OTHER, make: (good) => withValue(OTHER, 0xff80, good) },
];

describe("bad weight files", () => {
  let served: Served;
  let good: Checkpoint;
  let folder: string;
  let before_: Awaited<ReturnType<typeof ask>>;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "tidegate-bad-"));
    good = await readCheckpoint(`${modelPath("trained")}/model.safetensors`);
    served = await serve(["--replicas", "2"]);
    before_ = await ask(served.url, "What is 17 + 25?");
  });
  after(async () => {
    await served?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const upload = (body: Uint8Array, query = "") =>
    json<Problem>(`${served.url}/api/weight-syncs${query}`, {
      method: "POST",
      headers: { "content-type": "application/octet-stream", prefer: "wait=30" },
      body: body as BodyInit,
    });
  const fromDisk = async (body: Uint8Array) => {
    const path = join(folder, "bad.safetensors");
    await writeFile(path, body);
    return json<Problem>(`${served.url}/api/weight-syncs`, {
      method: "POST",
      headers: { "content-type": "application/json", prefer: "wait=30" },
      body: JSON.stringify({ source: { kind: "disk", path } }),
    });
  };
  const unchanged = async (): Promise<void> => {
    assert.deepEqual(await ask(served.url, "What is 17 + 25?"), before_);
    const { body } = await json<Fleet>(`${served.url}/api/fleet`);
    assert.equal(body.weight_version, 0);
    assert.ok(body.servers.every((server) => server.state === "ready" && server.weight_digest === before_.digest));
  };

  for (const { what, code, tensor, make } of BAD) {
    test(`${what} is refused, uploaded or from disk`, async () => {
      const file = make(good);
      for (const send of [upload, fromDisk]) {
        const { status, body } = await send(file);
        assert.ok(status >= 400 && status < 500, `${status} ${JSON.stringify(body)}`);
        assert.ok(body.code.startsWith(code), `${body.code}: ${body.detail}`);
        if (tensor !== null) assert.ok(body.detail.includes(tensor), body.detail);
      }
      await unchanged();
    });
  }

  test("every malformed file of the format's reference cases is refused", async () => {
    const root = `${repository}tests/fixtures/safetensors/malformed`;
    const files = (await readdir(root)).filter((name) => name.endsWith(".safetensors"));
    assert.ok(files.length > 30);
    for (const file of files) {
      for (const query of ["", "?partial=true"]) {
        const { status, body } = await upload(new Uint8Array(await readFile(join(root, file))), query);
        assert.ok(status >= 400 && status < 500, `${file}${query}: ${status} ${JSON.stringify(body)}`);
      }
    }
    await unchanged();
  });

  test("a missing tensor is accepted where the caller says partial", async () => {
    const { status, body } = await upload(without(OTHER, good), "?partial=true");
    assert.equal(status, 200, JSON.stringify(body));
    const after = await ask(served.url, "What is 17 + 25?");
    assert.equal(after.version, "1");
    assert.notEqual(after.digest, before_.digest);
  });

  test("a directory that is not there, and one without weights, are refused", async () => {
    for (const path of [join(folder, "nowhere"), folder]) {
      const { status, body } = await json<Problem>(`${served.url}/api/weight-syncs`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ source: { kind: "disk", path } }),
      });
      assert.equal(status, 400, JSON.stringify(body));
    }
  });
});
