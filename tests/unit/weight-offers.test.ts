/** Files of a transfer: who may read them, and ranges. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { WeightDigest } from "../../src/contract/ids.ts";
import { GatewayError } from "../../src/errors.ts";
import { createWeightOffers } from "../../src/gateway/weight-offers.ts";
import { createMemoryFiles } from "./cases/memory-files.ts";

const BYTES = new Uint8Array(2_500_000).map((_, at) => at % 251);
const files = createMemoryFiles({ "/set/a": BYTES, "/set/b": new Uint8Array([1, 2, 3]) });
const random = { uuid: () => crypto.randomUUID() };
const set = { files: ["/set/a", "/set/b"], digest: "sha256:0" as WeightDigest, partial: false };

const read = async (body: ReadableStream<Uint8Array> | null): Promise<Uint8Array> =>
  new Uint8Array(await new Response(body).arrayBuffer());

const refused = (call: () => unknown, code: string): void => {
  assert.throws(call, (error: unknown) => error instanceof GatewayError && error.code === code);
};

describe("weight offers", () => {
  test("whole files and ranges, for the token of this transfer, until it ends", async () => {
    const { offer, read: served, listening } = createWeightOffers(files, random, undefined);
    listening("http://127.0.0.1:8000");
    const { url, token, bytes, end } = await offer("ws_1", set, "http://127.0.0.1:9000");
    assert.equal(url, "http://127.0.0.1:8000/api/weight-syncs/ws_1/tensors");
    assert.equal(bytes, BYTES.byteLength + 3);
    assert.deepEqual(served.list("ws_1", token).files, [
      { index: 0, bytes: BYTES.byteLength },
      { index: 1, bytes: 3 },
    ]);
    assert.deepEqual(await read(served.open("ws_1", token, 0, undefined).body), BYTES);
    const part = served.open("ws_1", token, 0, { first: 1_000_000, last: 2_200_000 });
    assert.deepEqual([part.first, part.length, part.size], [1_000_000, 1_200_001, BYTES.byteLength]);
    assert.deepEqual(await read(part.body), BYTES.slice(1_000_000, 2_200_001));
    assert.deepEqual(await read(served.open("ws_1", token, 1, { first: 1 }).body), new Uint8Array([2, 3]));
    assert.equal(served.open("ws_1", token, 1, { first: 3 }).body, null);
    refused(() => served.open("ws_1", token, 2, undefined), "not_found");
    refused(() => served.list("ws_1", undefined), "unauthorized");
    refused(() => served.list("ws_2", token), "unauthorized");
    refused(() => served.list("ws_1", `${token}0`), "unauthorized");
    end();
    refused(() => served.list("ws_1", token), "unauthorized");
    refused(() => served.open("ws_1", token, 0, undefined), "unauthorized");
  });

  test("a reader that leaves early closes the file", async () => {
    const { offer, read: served, listening } = createWeightOffers(files, random, undefined);
    listening("http://127.0.0.1:8000");
    const { token } = await offer("ws_1", set, "http://127.0.0.1:9000");
    const reader = served.open("ws_1", token, 0, undefined).body!.getReader();
    assert.equal((await reader.read()).value?.byteLength, 2 ** 20);
    await reader.cancel();
  });

  test("servers are sent where they can reach the gateway, or it says how to tell", async () => {
    const near = "http://127.0.0.1:9000";
    const far = "http://10.0.0.5:8000";
    const urlOf = async (listens: string, reader: string, advertised?: string): Promise<string> => {
      const offers = createWeightOffers(files, random, advertised);
      offers.listening(listens);
      return new URL((await offers.offer("ws_1", set, reader)).url).origin;
    };
    assert.equal(await urlOf("http://0.0.0.0:8000", near), "http://127.0.0.1:8000");
    assert.equal(await urlOf("http://[::]:8000", near), "http://[::1]:8000");
    assert.equal(await urlOf("http://10.0.0.1:8000", far), "http://10.0.0.1:8000");
    assert.equal(await urlOf("http://0.0.0.0:8000", far, "https://gate.example"), "https://gate.example");
    for (const listens of ["http://0.0.0.0:8000", "http://127.0.0.1:8000"]) {
      await assert.rejects(urlOf(listens, far), /--advertise-url/);
    }
  });
});
