/** The tree of a template: types only. Expressions and statements carry no behaviour. */
import type { Value } from "./values.ts";

/** Arguments of a call, a filter or a test; `star` and `stars` are `*args` and `**kwargs`. */
export interface Arguments {
  readonly positional: readonly Expression[];
  readonly named: readonly (readonly [string, Expression])[];
  readonly star?: Expression;
  readonly stars?: Expression;
}

export type Expression =
  | { readonly type: "const"; readonly value: Value }
  | { readonly type: "name"; readonly name: string }
  | { readonly type: "list" | "tuple"; readonly items: readonly Expression[] }
  | { readonly type: "dict"; readonly entries: readonly (readonly [Expression, Expression])[] }
  | { readonly type: "attribute"; readonly target: Expression; readonly name: string }
  | { readonly type: "item"; readonly target: Expression; readonly key: Expression }
  | {
      readonly type: "slice";
      readonly start: Expression | null;
      readonly stop: Expression | null;
      readonly step: Expression | null;
    }
  | { readonly type: "call"; readonly target: Expression; readonly args: Arguments }
  | { readonly type: "filter"; readonly target: Expression | null; readonly name: string; readonly args: Arguments }
  | { readonly type: "test"; readonly target: Expression; readonly name: string; readonly args: Arguments }
  | { readonly type: "binary"; readonly sign: string; readonly left: Expression; readonly right: Expression }
  | { readonly type: "unary"; readonly sign: "-" | "+" | "not"; readonly operand: Expression }
  | { readonly type: "logic"; readonly sign: "and" | "or"; readonly left: Expression; readonly right: Expression }
  | { readonly type: "compare"; readonly first: Expression; readonly rest: readonly (readonly [string, Expression])[] }
  | { readonly type: "concat"; readonly items: readonly Expression[] }
  | {
      readonly type: "if";
      readonly test: Expression;
      readonly then: Expression;
      readonly otherwise: Expression | null;
    };

/** What an assignment may go to: a name, a field of a namespace, or several of them. */
export type Target =
  | { readonly type: "name"; readonly name: string }
  | { readonly type: "field"; readonly name: string; readonly field: string }
  | { readonly type: "tuple"; readonly items: readonly Target[] };

/** The parameters and the body of a macro or a call block. */
export interface MacroBody {
  readonly name: string;
  readonly parameters: readonly string[];
  /** Standards of the last parameters. */
  readonly standards: readonly Expression[];
  readonly body: readonly Statement[];
  /** Which of the implicit variables the body uses. */
  readonly uses: ReadonlySet<string>;
}

export type Statement =
  | { readonly type: "data"; readonly text: string }
  | { readonly type: "print"; readonly value: Expression }
  | {
      readonly type: "if";
      readonly branches: readonly (readonly [Expression, readonly Statement[]])[];
      readonly otherwise: readonly Statement[];
    }
  | {
      readonly type: "for";
      readonly target: Target;
      readonly iterable: Expression;
      readonly test: Expression | null;
      readonly recursive: boolean;
      readonly body: readonly Statement[];
      readonly otherwise: readonly Statement[];
    }
  | { readonly type: "set"; readonly target: Target; readonly value: Expression }
  | {
      readonly type: "set-block";
      readonly target: Target;
      readonly filter: Expression | null;
      readonly body: readonly Statement[];
    }
  | {
      readonly type: "with";
      readonly bindings: readonly (readonly [Target, Expression])[];
      readonly body: readonly Statement[];
    }
  | { readonly type: "macro"; readonly macro: MacroBody }
  | { readonly type: "call-block"; readonly call: Expression; readonly macro: MacroBody }
  | { readonly type: "filter-block"; readonly filter: Expression; readonly body: readonly Statement[] }
  | { readonly type: "generation"; readonly body: readonly Statement[] }
  | { readonly type: "block"; readonly name: string; readonly body: readonly Statement[] }
  | { readonly type: "break" | "continue" };
