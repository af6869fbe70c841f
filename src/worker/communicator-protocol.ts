/**
 * What the owner of a communicator and its worker process say to each other. Types only; the frames are those of
 * `frame.ts`, a message with bytes is a frame of the second kind. Times in milliseconds.
 *
 * The owner numbers its calls; each ends with exactly one `result` or `error`. `data` belongs to the call of its number:
 * towards the worker for `send`, towards the owner for `receive`; the reader gives credit in bytes.
 */
import type { Dtype } from "../tensor/dtype.ts";
import type { WireError } from "./protocol.ts";

/** Raised with every incompatible change. */
export const COMMUNICATOR_PROTOCOL = 1;

/** Bytes that may be on the way before credit comes. */
export const DATA_CREDIT = 16 * 2 ** 20;
/** Longest piece of data in one frame. */
export const DATA_PIECE = 4 * 2 ** 20;

/** A tensor without its bytes. */
export interface WireTensor {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

/** Where the libraries are; null: the environment (TIDEGATE_NCCL_LIBRARY, TIDEGATE_CUDART_LIBRARY), else the system's loader. */
export interface WireLibraries {
  readonly nccl: string | null;
  readonly cudart: string | null;
}

/** One rank of a group: rendezvous over a TCPStore that rank 0 hosts, then NCCL. */
export interface OpenGroup {
  /** The name by which later calls mean it. */
  readonly group: string;
  /** Rank 0 listens on exactly this address; null: the one by which `reach` is reached. Others connect to it. */
  readonly host: string | null;
  /** Rank 0: 0 picks a free one. */
  readonly port: number;
  /** Somebody of the group, to find the address of this machine that it can reach. */
  readonly reach: { readonly host: string; readonly port: number } | null;
  readonly rank: number;
  readonly worldSize: number;
  /** `arrival` since vLLM 0.9, `broadcast` before; rank 0 may find out. */
  readonly barrier: "arrival" | "broadcast" | "either";
  /** Until all ranks have joined. */
  readonly timeout: number;
  readonly libraries: WireLibraries;
}

/** Calls and their results. `timeout` holds for each broadcast or barrier of the call. */
export interface CommunicatorCalls {
  /** Loads the libraries and asks the GPU for something: what fails here would fail in `open`. */
  probe: { request: { libraries: WireLibraries }; result: { readonly nccl: string } };
  open: { request: OpenGroup; result: { readonly nccl: string } };
  /** Broadcasts tensors of this rank; their bytes follow as `data`, in order. `packed`: runs of that many bytes; null: one by one. */
  send: {
    request: { group: string; tensors: readonly WireTensor[]; packed: number | null; timeout: number };
    result: { readonly tensors: number; readonly bytes: number };
  };
  /** Receives tensors from `root`; their bytes come as `data`, in order. */
  receive: {
    request: { group: string; root: number; tensors: readonly WireTensor[]; packed: number | null; timeout: number };
    result: { readonly tensors: number; readonly bytes: number };
  };
  /** Receives one tensor and keeps it on the device. */
  hold: { request: { group: string; root: number; tensor: WireTensor; timeout: number }; result: null };
  /** Broadcasts what group `from` holds to group `group`. */
  pass: { request: { group: string; from: string; tensor: WireTensor; timeout: number }; result: null };
  /** All ranks of the process group. */
  barrier: { request: { group: string; timeout: number }; result: null };
  /** Ends a group; unknown ones are fine. */
  close: { request: { group: string }; result: null };
}

/** The name of a call. */
export type CommunicatorCall = keyof CommunicatorCalls;

/** Owner to worker. */
export type ToCommunicator =
  | {
      [Name in CommunicatorCall]: { readonly type: Name; readonly id: number } & CommunicatorCalls[Name]["request"];
    }[CommunicatorCall]
  | { readonly type: "data"; readonly id: number; readonly bytes: Uint8Array }
  | { readonly type: "credit"; readonly id: number; readonly bytes: number }
  /** Nobody waits for this call any more; what it waits for is aborted. Unknown ids are fine. */
  | { readonly type: "cancel"; readonly id: number }
  | { readonly type: "stop" };

/** Worker to owner. */
export type FromCommunicator =
  | { readonly type: "hello"; readonly protocol: number; readonly pid: number }
  /** Rank 0's store listens: the others may come. */
  | { readonly type: "listening"; readonly id: number; readonly host: string; readonly port: number }
  /** A member left, or the store is gone; nothing can be sent any more. Not told of a group that is being closed. */
  | { readonly type: "lost"; readonly group: string; readonly error: WireError }
  | { readonly type: "data"; readonly id: number; readonly bytes: Uint8Array }
  | { readonly type: "credit"; readonly id: number; readonly bytes: number }
  | { readonly type: "progress"; readonly id: number; readonly tensors: number; readonly bytes: number }
  | { readonly type: "result"; readonly id: number; readonly result: unknown }
  | { readonly type: "error"; readonly id: number; readonly error: WireError };
