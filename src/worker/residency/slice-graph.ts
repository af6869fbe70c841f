/**
 * Cuts a decoder's graph into pieces that run one after the other, each with the weights of one group: the same
 * operators on the same values, so that the pieces together give the graph's numbers. Pure; knows names, not memory.
 */
import type { Graph, GraphNode, GraphValue } from "../graph/onnx-proto.ts";
import { EMBEDDING, FINAL_NORM, HEAD, type WeightPlanEntry } from "../graph/weight-plan.ts";

/** A value that one piece hands to a later one. */
export interface Boundary {
  readonly name: string;
  /** Size of the last dimension. */
  readonly width: number;
  /** One row for each wanted row of logits, in place of one for each token. */
  readonly wanted: boolean;
  /** Index of the last piece that reads it. */
  readonly lastUse: number;
}

/** One piece. Its output matrix may be some rows of the graph's: then `rows` says which. */
export interface Slice {
  /** The group whose weights it uses. */
  readonly group: string;
  readonly graph: Graph;
  readonly rows: { readonly from: number; readonly to: number } | null;
}

export interface SlicedGraph {
  readonly slices: readonly Slice[];
  readonly boundaries: ReadonlyMap<string, Boundary>;
  /** The first boundary: rows of the token table, which nobody computes. */
  readonly embedded: string;
}

/** `layer`: one piece a layer. `matrix`: one piece for each matrix, for budgets smaller than a layer. */
export type Granularity = "layer" | "matrix";

/** Group names in the order of use. */
export const toGroupNames = (layers: number): readonly string[] => [
  "embed",
  ...Array.from({ length: layers }, (_, layer) => `layers.${layer}`),
  "head",
];

/** The group that a graph's weight belongs to; undefined for what is no weight of the model (rotary tables). */
export function groupOf(weight: string): string | undefined {
  if (weight === EMBEDDING) return "embed";
  if (weight === FINAL_NORM || weight === HEAD || weight.startsWith(`${HEAD}.`)) return "head";
  const layer = /^layer\.(\d+)\./.exec(weight)?.[1];
  return layer === undefined ? undefined : `layers.${layer}`;
}

/** The size of the last dimension of a node's first output. */
function widthOf(node: GraphNode, widths: ReadonlyMap<string, number>, dims: ReadonlyMap<string, readonly number[]>) {
  if (node.op === "FusedMatMul") return dims.get(node.inputs[1] ?? "")?.[0];
  if (node.op === "GroupQueryAttention") return widths.get(`${node.outputs[0]} heads`);
  return widths.get(node.inputs[0] ?? "");
}

interface Draft {
  readonly group: string;
  readonly nodes: GraphNode[];
}

/**
 * @param plan the weights that the graph names
 * @param options.attentionWidth elements of the attention's output: heads × the kernel's head dimension
 * @param options.headRows rows of the output matrix in one piece at most, a multiple of 16: the kernels' columns
 * @throws Error for a graph whose first operator is no look-up in a float table, or whose last is no product with one
 */
export function sliceGraph(
  graph: Graph,
  plan: readonly WeightPlanEntry[],
  options: {
    readonly granularity: Granularity;
    readonly layers: number;
    readonly hidden: number;
    readonly attentionWidth: number;
    readonly headRows: number;
  },
): SlicedGraph {
  const [lookup, ...rest] = graph.nodes;
  const product = rest.pop();
  const dims = new Map(graph.external.map((entry) => [entry.name, entry.dims]));
  const matrix = product?.inputs[1] ?? "";
  if (lookup?.op !== "Gather" || product?.op !== "FusedMatMul" || !dims.has(matrix)) {
    throw new Error("Only a float decoder's graph can be cut: a look-up first, a product with a matrix last.");
  }
  const order = toGroupNames(options.layers);
  const packed = new Set(plan.filter((entry) => entry.packed).map((entry) => entry.name));
  const drafts: Draft[] = [];
  for (const node of rest) {
    const last = drafts.at(-1);
    const groups = node.inputs.flatMap((name) => groupOf(name) ?? []);
    const reached = Math.max(
      last === undefined ? 1 : order.indexOf(last.group),
      ...groups.map((name) => order.indexOf(name)),
    );
    const group = order[reached]!;
    const cut = options.granularity === "matrix" && node.inputs.some((name) => packed.has(name));
    if (last === undefined || last.group !== group || cut) drafts.push({ group, nodes: [node] });
    else last.nodes.push(node);
  }

  const rows = dims.get(matrix)![0]!;
  const width = dims.get(matrix)![1]!;
  const headGroup = groupOf(matrix)!;
  const heads: { draft: Draft; from: number; to: number; weight: string }[] = [];
  for (let from = 0; from < rows; from += options.headRows) {
    const to = Math.min(rows, from + options.headRows);
    const weight = `${matrix}.rows.${from}`;
    const node = { ...product, inputs: [product.inputs[0]!, weight] };
    heads.push({ draft: { group: headGroup, nodes: [node] }, from, to, weight });
  }

  const all = [...drafts, ...heads.map(({ draft }) => draft)];
  const widths = new Map<string, number>([[lookup.outputs[0]!, options.hidden]]);
  const producedBy = new Map<string, number>([[lookup.outputs[0]!, -1]]);
  const lastUse = new Map<string, number>();
  for (const [index, { nodes }] of all.entries()) {
    for (const node of nodes) {
      for (const name of node.inputs) if (producedBy.has(name)) lastUse.set(name, index);
      widths.set(`${node.outputs[0]} heads`, options.attentionWidth);
      const size = widthOf(node, widths, dims) ?? options.hidden;
      for (const name of node.outputs) {
        if (name === "") continue;
        producedBy.set(name, index);
        widths.set(name, size);
      }
    }
  }
  const wantedValue = product.inputs[0]!;
  const boundaries = new Map<string, Boundary>();
  for (const [name, use] of lastUse) {
    if (producedBy.get(name)! >= use) continue;
    boundaries.set(name, { name, width: widths.get(name)!, wanted: name === wantedValue, lastUse: use });
  }

  const toValue = ({ name, width: size, wanted }: Boundary): GraphValue => ({
    name,
    type: "float32",
    dims: wanted ? ["N", size] : ["B", "S", size],
  });
  const inputs = new Map(graph.inputs.map((value) => [value.name, value]));
  const outputs = new Map(graph.outputs.map((value) => [value.name, value]));
  const slices = all.map((draft, index): Slice => {
    const head = heads[index - drafts.length];
    const made = new Set(draft.nodes.flatMap((node) => node.outputs));
    const used = [...new Set(draft.nodes.flatMap((node) => node.inputs))].filter(
      (name) => name !== "" && !made.has(name),
    );
    const values = used.flatMap(
      (name) => inputs.get(name) ?? (boundaries.has(name) ? toValue(boundaries.get(name)!) : []),
    );
    const results = [...made].flatMap((name) => {
      const own = outputs.get(name);
      if (own !== undefined) return head === undefined ? own : { ...own, dims: ["N", head.to - head.from] };
      const boundary = boundaries.get(name);
      return boundary === undefined ? [] : toValue(boundary);
    });
    const external = used.flatMap((name) => {
      if (head?.weight === name) return { name, dims: [head.to - head.from, width] };
      const size = dims.get(name);
      return size === undefined ? [] : { name, dims: size };
    });
    return {
      group: draft.group,
      rows: head === undefined ? null : { from: head.from, to: head.to },
      graph: {
        name: `${draft.group}.${index}`,
        nodes: draft.nodes,
        inputs: values,
        outputs: results,
        external,
        constants: graph.constants.filter(({ name }) => used.includes(name)),
      },
    };
  });
  return { slices, boundaries, embedded: lookup.outputs[0]! };
}
