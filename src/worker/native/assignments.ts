/**
 * Which execution provider runs which operators of a compiled graph, as ONNX Runtime recorded it
 * (`Session_GetEpGraphAssignmentInfo`, 1.24 and newer). Reads; changes nothing.
 */
import koffi from "koffi";
import { addressOf, pinnedPointers } from "./memory.ts";

/** Number of operators by their type, by the name of the provider. */
export type Assignments = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** The functions of the C API that are needed; each returns a status and writes through its last arguments. */
export interface AssignmentApi {
  readonly subgraphs: (session: bigint, list: BigUint64Array, count: BigUint64Array) => unknown;
  readonly provider: (subgraph: bigint, name: BigUint64Array) => unknown;
  readonly nodes: (subgraph: bigint, list: BigUint64Array, count: BigUint64Array) => unknown;
  readonly operator: (node: bigint, name: BigUint64Array) => unknown;
}

/** What a session must be told before it is made. */
export const RECORD_ASSIGNMENTS = ["session.record_ep_graph_assignment_info", "1"] as const;

/** More than any graph of ours has; bounds what is believed of a count. */
const LIST_LIMIT = 1_000_000n;

/**
 * @param check throws when a status is an error
 */
export function readAssignments(api: AssignmentApi, session: bigint, check: (status: unknown) => void): Assignments {
  const list = pinnedPointers(1);
  const count = pinnedPointers(1);
  const name = pinnedPointers(1);
  const entries = (): bigint[] => {
    const length = Number(count[0]! < LIST_LIMIT ? count[0]! : LIST_LIMIT);
    const base = list[0]!;
    return Array.from({ length }, (_, index) => BigInt(koffi.decode(base, 8 * index, "uint64") as number | bigint));
  };
  const text = (): string => koffi.decode(name[0]!, "char", -1) as string;
  const found = new Map<string, Map<string, number>>();
  check(api.subgraphs(session, list, count));
  for (const subgraph of entries()) {
    check(api.provider(subgraph, name));
    const provider = text();
    const operators = found.get(provider) ?? new Map<string, number>();
    found.set(provider, operators);
    check(api.nodes(subgraph, list, count));
    for (const node of entries()) {
      check(api.operator(node, name));
      const operator = text();
      operators.set(operator, (operators.get(operator) ?? 0) + 1);
    }
  }
  // The memory of the three is written by native code until here.
  addressOf(list);
  return found;
}

/** "ReduceSum ×60, Reshape ×60": what the CPU runs although another provider was chosen; "" when that is nothing. */
export function showElsewhere(assignments: Assignments): string {
  const operators = assignments.get("CPUExecutionProvider") ?? new Map<string, number>();
  return [...operators].map(([operator, count]) => `${operator} ×${count}`).join(", ");
}
