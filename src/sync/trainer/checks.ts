/** What is wrong with a trainer's `init_info` and `update_info`, before any server is asked. Pure; throws GatewayError. */
import { GatewayError, invalidValue, showValue } from "../../errors.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A group that the servers join, or another kind of transfer (by path, by handle) that needs none. */
export type JoinPlan =
  | { readonly kind: "group"; readonly rankOffset: number; readonly worldSize: number; readonly master: string | null }
  | { readonly kind: "plain" };

/** 128 bytes (NCCL_UNIQUE_ID_BYTES) in standard base64: 42 groups of four, and two bytes more as three characters and one of padding. */
const UNIQUE_ID = /^[A-Za-z0-9+/]{170}[AEIMQUYcgkosw048]=$/;
/** More tensors in one update than any model has; each costs a few hundred bytes of JSON. */
const NAMES_LIMIT = 1_000_000;
/** More dimensions than torch's own limit for named shapes would ever see. */
const DIMENSIONS_LIMIT = 64;
/** Ranks of the largest fleets are in the thousands. */
const RANK_LIMIT = 1_000_000;

/** torch's names of what a checkpoint can hold. */
const DTYPES: ReadonlySet<string> = new Set([
  ...["float64", "float32", "float16", "bfloat16", "double", "float", "half"],
  ...["float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2"],
  ...["int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64", "bool", "long", "int", "short"],
  ...["complex64", "complex128"],
]);

const GROUP_FIELDS = ["master_address", "master_port", "rank_offset", "world_size", "nccl_unique_id_b64"];

const integer = (fields: Fields, name: string, least: number, most: number): number => {
  const value = fields[name];
  const param = `init_info.${name}`;
  if (value == null) {
    throw new GatewayError("missing_field", `${param} is required: an integer from ${least} to ${most}.`, { param });
  }
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw invalidValue(param, value, `an integer from ${least} to ${most}`);
};

/** For documents and for the future: RFC 5737, RFC 1112 (240.0.0.0/4), RFC 3849, RFC 6666. */
const RESERVED = [/^192\.0\.2\./, /^198\.51\.100\./, /^203\.0\.113\./, /^(24\d|25[0-5])\.\d/, /^2001:0?db8:/, /^100::/];

/** Addresses at which no server can find a trainer. */
function addressFault(address: string): string | null {
  const bare = address.replace(/^\[|\]$/g, "").toLowerCase();
  if (/^0(\.|$)/.test(bare) || /^(::|0(:0){7})$/.test(bare) || bare === "*")
    return "it is the wildcard, an address to listen on and not to connect to";
  if (bare === "255.255.255.255" || /^(22[4-9]|23\d)\./.test(bare) || /^ff[0-9a-f]{2}:/.test(bare))
    return "it is a broadcast or multicast address";
  if (/^169\.254\./.test(bare) || /^fe[89ab][0-9a-f]:/.test(bare))
    return "it is a link-local address, which is routed nowhere";
  if (RESERVED.some((range) => range.test(bare))) return "it is from a reserved block, which is routed nowhere";
  if (/[\s/@]|:\/\//.test(address)) return "it is no host name or IP address";
  return null;
}

function checkAddress(address: unknown): string {
  const param = "init_info.master_address";
  if (typeof address !== "string" || address === "" || address.length > 255) {
    throw invalidValue(param, address, "the trainer's host name or IP address");
  }
  const fault = addressFault(address);
  if (fault === null) return address;
  throw new GatewayError(
    "invalid_value",
    `${param} must be an address at which every server reaches the trainer, got ${showValue(address)}: ${fault}. Send the trainer's own address in the servers' network.`,
    { param },
  );
}

/**
 * Reads `init_info`. With any of NCCL's rendezvous fields all that a group needs must be there.
 *
 * @example
 * ```ts
 * import { parseJoin } from "./checks.ts";
 * const plan = parseJoin({ master_address: "10.0.0.5", master_port: 51216, rank_offset: 1, world_size: 3 });
 * if (plan.kind !== "group" || plan.worldSize !== 3) throw new Error("a group of three");
 * if (parseJoin({}).kind !== "plain") throw new Error("transfers without ranks have none");
 * ```
 */
export function parseJoin(info: Fields): JoinPlan {
  if (!GROUP_FIELDS.some((name) => info[name] != null)) return { kind: "plain" };
  const id = info.nccl_unique_id_b64;
  let master: string | null = null;
  if (id != null) {
    if (info.master_address != null || info.master_port != null) {
      throw new GatewayError(
        "invalid_value",
        "init_info must have nccl_unique_id_b64, or master_address and master_port, not both.",
        { param: "init_info" },
      );
    }
    if (typeof id !== "string" || !UNIQUE_ID.test(id)) {
      throw invalidValue(
        "init_info.nccl_unique_id_b64",
        typeof id === "string" ? `${id.length} characters` : id,
        "128 bytes in standard base64 (172 characters, the last one =; not the URL-safe alphabet)",
      );
    }
  } else {
    if (info.master_address == null) {
      throw new GatewayError(
        "missing_field",
        "init_info.master_address is required: the trainer's address, or nccl_unique_id_b64 instead of it.",
        { param: "init_info.master_address" },
      );
    }
    master = checkAddress(info.master_address);
    integer(info, "master_port", 1, 65_535);
  }
  if (info.packed != null && typeof info.packed !== "boolean")
    throw invalidValue("init_info.packed", info.packed, "true or false");
  // 1 TiB is more than a broadcast can hold; each buffer is allocated whole on the device.
  if (info.packed_buffer_size_bytes != null) integer(info, "packed_buffer_size_bytes", 1, 2 ** 40);
  if (info.packed_num_buffers != null) integer(info, "packed_num_buffers", 1, 1024);
  const rankOffset = integer(info, "rank_offset", 1, RANK_LIMIT);
  return { kind: "group", rankOffset, worldSize: integer(info, "world_size", 2, 2 * RANK_LIMIT), master };
}

/** True for what a look-up says nothing about: an IPv4 or IPv6 address. */
const isAddress = (host: string): boolean => /^\d+(\.\d+){3}$/.test(host) || host.includes(":");

/**
 * A name that nobody knows ends in a rendezvous that nobody comes to, minutes later. Throws `invalid_value`.
 *
 * @param resolve see `Ports.resolve`; without it nothing is checked.
 */
export async function checkName(
  master: string | null,
  resolve: ((name: string) => Promise<readonly string[]>) | undefined,
): Promise<void> {
  if (master === null || resolve === undefined || isAddress(master)) return;
  const found = await resolve(master).catch(() => []);
  if (found.length > 0) return;
  throw new GatewayError(
    "invalid_value",
    `init_info.master_address is ${showValue(master)}, and that name does not resolve. Send the trainer's IP address in the servers' network.`,
    { param: "init_info.master_address" },
  );
}

const isLoopback = (host: string): boolean => /^(localhost|127(\.\d+){3}|::1|\[::1\])$/i.test(host);

/** A loopback address means the server's own machine: right only for servers that are on it. Throws `invalid_value`. */
export function checkReachable(
  master: string | null,
  servers: readonly { readonly id: string; readonly url: string | null }[],
): void {
  if (master === null || !isLoopback(master)) return;
  const remote = servers.find(({ url }) => url !== null && !isLoopback(new URL(url).hostname));
  if (remote === undefined) return;
  throw new GatewayError(
    "invalid_value",
    `init_info.master_address is ${showValue(master)}: ${remote.id} at ${remote.url} would look for the trainer on its own machine. Send the trainer's address in the servers' network.`,
    { param: "init_info.master_address", replica: remote.id },
  );
}

function lists(info: Fields): readonly string[] {
  const { names, dtype_names: dtypes, shapes } = info;
  for (const [name, value] of Object.entries({ names, dtype_names: dtypes, shapes })) {
    if (value === undefined)
      throw new GatewayError("missing_field", `update_info.${name} is required: an array, one item per tensor.`, {
        param: `update_info.${name}`,
      });
    if (!Array.isArray(value)) throw invalidValue(`update_info.${name}`, value, "an array, one item per tensor");
  }
  const [given, kinds, sizes] = [names, dtypes, shapes] as [unknown[], unknown[], unknown[]];
  if (given.length !== kinds.length || given.length !== sizes.length) {
    throw new GatewayError(
      "invalid_value",
      `update_info.names, dtype_names and shapes must be of equal length, got ${given.length}, ${kinds.length} and ${sizes.length}.`,
      { param: "update_info" },
    );
  }
  if (given.length > NAMES_LIMIT)
    throw invalidValue("update_info.names", `${given.length} names`, `at most ${NAMES_LIMIT} names`);
  const seen = new Set<string>();
  for (const [at, name] of given.entries()) {
    if (typeof name !== "string" || name === "")
      throw invalidValue(`update_info.names.${at}`, name, "the name of a tensor");
    if (seen.has(name))
      throw new GatewayError("weights_duplicate_tensor", `update_info.names has ${showValue(name)} twice.`, {
        param: `update_info.names.${at}`,
        tensor: name,
      });
    seen.add(name);
    const dtype = kinds[at];
    if (typeof dtype !== "string" || !DTYPES.has(dtype)) {
      throw invalidValue(
        `update_info.dtype_names.${at}`,
        dtype,
        'a torch dtype without its prefix, such as "bfloat16"',
      );
    }
    const shape = sizes[at];
    const good =
      Array.isArray(shape) &&
      shape.length <= DIMENSIONS_LIMIT &&
      shape.every((size) => Number.isSafeInteger(size) && size >= 0);
    if (!good) throw invalidValue(`update_info.shapes.${at}`, shape, "an array of sizes");
  }
  return [...seen];
}

/** Checks `update_info` where it announces tensors, and gives their names; other kinds of update have none. */
export function parseUpdate(update: unknown): readonly string[] {
  const parts = Array.isArray(update) ? update : [update];
  const names = new Set<string>();
  for (const part of parts as Fields[]) {
    if (part.names === undefined && part.dtype_names === undefined && part.shapes === undefined) continue;
    for (const name of lists(part)) names.add(name);
  }
  return [...names];
}

/**
 * The version that a label asks for: a label that is a number is one. Throws `conflict` when it goes backwards.
 */
export function versionOfLabel(label: string | null, published: number): number {
  if (label === null || !/^(0|[1-9]\d{0,14})$/.test(label)) return published + 1;
  const asked = Number(label);
  if (asked > published) return asked;
  throw new GatewayError(
    "conflict",
    `weight_version ${showValue(label)} goes backwards: the fleet serves version ${published}. Send a greater number, or a label that is no number (such as "step-${label}"), or none.`,
    { param: "weight_version" },
  );
}
