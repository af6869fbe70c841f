/**
 * Writes an ONNX ModelProto (onnx.proto3, IR version 10) with protobufjs. Only what the engine's graphs need; weights
 * are declared as external data and never pass through here.
 */
import protobuf from "protobufjs/minimal.js";

type Writer = InstanceType<typeof protobuf.Writer>;

/** An attribute: an integer, or a float where the operator's schema says so. */
export type Attribute = { readonly int: number } | { readonly float: number };

export interface GraphNode {
  readonly op: string;
  /** "" = the standard operators. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A dimension: a size, or the name of one that changes between calls. */
export type Dimension = number | string;

export interface GraphValue {
  readonly name: string;
  readonly type: "float32" | "int32" | "int64";
  readonly dims: readonly Dimension[];
}

/** A weight whose bytes are handed to the session by name. */
export interface ExternalInitializer {
  readonly name: string;
  readonly dims: readonly number[];
  /** Default: float32. */
  readonly type?: "uint8";
  /** Where the bytes are in a file that is really read; absent: they are handed over by name. */
  readonly place?: { readonly offset: number; readonly length: number };
}

/** A small constant inside the model. */
export interface ConstantInitializer {
  readonly name: string;
  readonly int64: readonly number[];
}

export interface Graph {
  readonly name: string;
  readonly nodes: readonly GraphNode[];
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  readonly external: readonly ExternalInitializer[];
  readonly constants: readonly ConstantInitializer[];
}

const IR_VERSION = 10;
const OPSET = 21;
const CONTRIB_OPSET = 1;
/** TensorProto.DataType. */
const DATA_TYPE = { float32: 1, uint8: 2, int32: 6, int64: 7 } as const;
/** AttributeProto.AttributeType. */
const ATTRIBUTE_FLOAT = 1;
const ATTRIBUTE_INT = 2;
const DATA_LOCATION_EXTERNAL = 1;

/** Protobuf wire types. */
const VARINT = 0;
const BYTES = 2;
const FIXED32 = 5;

const tag = (field: number, wireType: number) => ((field << 3) | wireType) >>> 0;

/** One embedded message. */
function message(writer: Writer, field: number, body: (inner: Writer) => void): void {
  writer.uint32(tag(field, BYTES)).fork();
  body(writer);
  writer.ldelim();
}

const text = (writer: Writer, field: number, value: string) => writer.uint32(tag(field, BYTES)).string(value);
const integer = (writer: Writer, field: number, value: number) => writer.uint32(tag(field, VARINT)).int64(value);

function writeNode(writer: Writer, node: GraphNode, index: number): void {
  for (const input of node.inputs) text(writer, 1, input);
  for (const output of node.outputs) text(writer, 2, output);
  text(writer, 3, `${node.op}_${index}`);
  text(writer, 4, node.op);
  for (const [name, value] of Object.entries(node.attributes)) {
    message(writer, 5, (inner) => {
      text(inner, 1, name);
      if ("float" in value) inner.uint32(tag(2, FIXED32)).float(value.float);
      else integer(inner, 3, value.int);
      integer(inner, 20, "float" in value ? ATTRIBUTE_FLOAT : ATTRIBUTE_INT);
    });
  }
  if (node.domain !== "") text(writer, 7, node.domain);
}

function writeValue(writer: Writer, value: GraphValue): void {
  text(writer, 1, value.name);
  message(writer, 2, (type) =>
    message(type, 1, (tensor) => {
      integer(tensor, 1, DATA_TYPE[value.type]);
      message(tensor, 2, (shape) => {
        for (const dim of value.dims) {
          message(shape, 1, (inner) => {
            if (typeof dim === "number") integer(inner, 1, dim);
            else text(inner, 2, dim);
          });
        }
      });
    }),
  );
}

function writeExternal(writer: Writer, initializer: ExternalInitializer, location: string): void {
  for (const size of initializer.dims) integer(writer, 1, size);
  integer(writer, 2, DATA_TYPE[initializer.type ?? "float32"]);
  text(writer, 8, initializer.name);
  // Required for external data, not opened where the session is given the bytes under this name.
  message(writer, 13, (entry) => {
    text(entry, 1, "location");
    text(entry, 2, location);
  });
  for (const [key, value] of Object.entries(initializer.place ?? {})) {
    message(writer, 13, (entry) => {
      text(entry, 1, key);
      text(entry, 2, String(value));
    });
  }
  integer(writer, 14, DATA_LOCATION_EXTERNAL);
}

function writeConstant(writer: Writer, constant: ConstantInitializer): void {
  integer(writer, 1, constant.int64.length);
  integer(writer, 2, DATA_TYPE.int64);
  for (const value of constant.int64) integer(writer, 7, value);
  text(writer, 8, constant.name);
}

/**
 * The serialized model.
 *
 * @param location the file that external data claims to be in; it must exist, and is read only where a place is given
 */
export function toModelProto(graph: Graph, location: string): Uint8Array {
  const writer = protobuf.Writer.create();
  integer(writer, 1, IR_VERSION);
  text(writer, 2, "tidegate");
  message(writer, 7, (inner) => {
    for (const [index, node] of graph.nodes.entries()) message(inner, 1, (w) => writeNode(w, node, index));
    text(inner, 2, graph.name);
    for (const initializer of graph.external) message(inner, 5, (w) => writeExternal(w, initializer, location));
    for (const constant of graph.constants) message(inner, 5, (w) => writeConstant(w, constant));
    for (const value of graph.inputs) message(inner, 11, (w) => writeValue(w, value));
    for (const value of graph.outputs) message(inner, 12, (w) => writeValue(w, value));
  });
  message(writer, 8, (opset) => {
    text(opset, 1, "");
    integer(opset, 2, OPSET);
  });
  message(writer, 8, (opset) => {
    text(opset, 1, "com.microsoft");
    integer(opset, 2, CONTRIB_OPSET);
  });
  return writer.finish();
}
