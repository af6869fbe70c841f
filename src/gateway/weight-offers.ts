/**
 * Weight files that servers may fetch from this gateway: each offer is for one server and one transfer, known by a token
 * of its own, and gone when the transfer ends. Files are read piece by piece, never held.
 */
import type { WeightFileList } from "../contract/control/weight-tensors.ts";
import type { WeightSet } from "../engine/engine.ts";
import type { OfferWeights } from "../engine/vllm/weights-plugin.ts";
import { GatewayError } from "../errors.ts";
import type { FetchedPart, Gateway } from "../gateway-types.ts";
import type { Files, Random } from "../ports.ts";

/** One read and one chunk of an answer. */
const PIECE_BYTES = 2 ** 20;

const LOOPBACK = /^(localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;
const ANY_ADDRESS = /^(0\.0\.0\.0|\[::\])$/;

interface Offered {
  readonly id: string;
  readonly set: WeightSet;
  readonly sizes: readonly number[];
}

/** The offers of one gateway. */
export interface WeightOffers {
  readonly offer: OfferWeights;
  readonly read: Gateway["weightFiles"];
  /** Where this gateway listens, once it does. */
  listening(url: string): void;
}

/** A file as a stream of pieces; reading ends, and the file closes, when the reader leaves. */
function streamFile(files: Files, path: string, first: number, length: number): ReadableStream<Uint8Array> {
  let reader: Awaited<ReturnType<Files["openRead"]>> | undefined;
  let at = first;
  const end = first + length;
  const close = async (): Promise<void> => {
    await reader?.close();
    reader = undefined;
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          reader ??= await files.openRead(path);
          if (at < end) {
            const piece = await reader.read(at, Math.min(PIECE_BYTES, end - at));
            at += piece.byteLength;
            controller.enqueue(piece);
          }
          if (at < end) return;
          await close();
          controller.close();
        } catch (error) {
          await close().catch(() => undefined);
          throw error;
        }
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  );
}

/**
 * Creates the offers.
 *
 * @param advertised base URL under which servers reach this gateway (`--advertise-url`); default: where it listens.
 */
export function createWeightOffers(
  files: Files | undefined,
  random: Pick<Random, "uuid">,
  advertised: string | undefined,
): WeightOffers {
  const byToken = new Map<string, Offered>();
  let listening: string | undefined;

  /** The gateway's own URL as the server at `reader` can reach it. */
  function baseFor(reader: string): string {
    if (advertised !== undefined) return advertised;
    const unreachable = (where: string): GatewayError =>
      new GatewayError(
        "unsupported",
        `The server at ${reader} has to fetch the weights from this gateway, which ${where}. Say with --advertise-url how that server reaches it.`,
      );
    if (listening === undefined) throw unreachable("does not know its own address");
    const own = new URL(listening);
    const near = LOOPBACK.test(new URL(reader).hostname);
    if (ANY_ADDRESS.test(own.hostname)) {
      if (!near) throw unreachable("listens on every address of its machine");
      own.hostname = own.hostname === "[::]" ? "[::1]" : "127.0.0.1";
    } else if (LOOPBACK.test(own.hostname) && !near) throw unreachable(`listens on ${own.host} only`);
    return own.origin;
  }

  const find = (id: string, token: string | undefined): Offered => {
    const offered = token === undefined ? undefined : byToken.get(token);
    if (offered?.id === id) return offered;
    throw new GatewayError(
      "unauthorized",
      "These weights are only for the servers of a running transfer; their token goes with the transfer.",
    );
  };

  return {
    async offer(id, set, reader) {
      if (files === undefined) throw new GatewayError("unsupported", "There are no files to offer on this runtime.");
      const base = baseFor(reader);
      const stats = await Promise.all(set.files.map((path) => files.stat(path)));
      const sizes = stats.map((stat) => stat?.size ?? 0);
      // Two of them: 244 random bits, out of which nobody guesses one.
      const token = `${random.uuid()}${random.uuid()}`.replaceAll("-", "");
      byToken.set(token, { id, set, sizes });
      return {
        url: `${base}/api/weight-syncs/${id}/tensors`,
        token,
        bytes: sizes.reduce((all, size) => all + size, 0),
        end: () => void byToken.delete(token),
      };
    },
    read: {
      list(id, token): WeightFileList {
        const { set, sizes } = find(id, token);
        return { id, digest: set.digest, files: sizes.map((bytes, index) => ({ index, bytes })) };
      },
      open(id, token, index, range): FetchedPart {
        const { set, sizes } = find(id, token);
        const [path, size] = [set.files[index], sizes[index]];
        if (path === undefined || size === undefined || files === undefined) {
          throw new GatewayError("not_found", `There is no file ${index}; this set has ${set.files.length}.`, {
            param: "index",
          });
        }
        const first = range?.first ?? 0;
        const last = Math.min(range?.last ?? size - 1, size - 1);
        if (first > last) return { size, first, length: 0, body: null };
        return { size, first, length: last - first + 1, body: streamFile(files, path, first, last - first + 1) };
      },
    },
    listening(url) {
      listening = url;
    },
  };
}
