/** The `loop` variable of a `{% for %}` (jinja2's LoopContext). */
import { isEqual } from "./operators.ts";
import { Callable, fail, Undefined, type Value } from "./values.ts";

/** A loop in progress: `advance` goes to the next item, `value` is what the template sees. */
export interface Loop {
  advance(): void;
  readonly value: Callable;
}

/** Creates the loop over `items`; `again` runs a recursive one, one level deeper. */
export function createLoop(items: readonly Value[], depth: number, again: (value: Value) => Value): Loop {
  let index = -1;
  let changedTo: readonly Value[] | undefined;
  const cycle = new Callable("cycle", (args) =>
    args.length === 0 ? fail("TypeError", "no items for cycling given") : (args[index % args.length] ?? null),
  );
  const changed = new Callable("changed", (args) => {
    if (changedTo !== undefined && isEqual([...changedTo], [...args])) return false;
    changedTo = args;
    return true;
  });
  const read = (name: string): Value | undefined => {
    switch (name) {
      case "index":
        return index + 1;
      case "index0":
        return index;
      case "revindex":
        return items.length - index;
      case "revindex0":
        return items.length - index - 1;
      case "first":
        return index === 0;
      case "last":
        return index === items.length - 1;
      case "length":
        return items.length;
      case "depth":
        return depth;
      case "depth0":
        return depth - 1;
      case "previtem":
        return index > 0 ? items[index - 1] : new Undefined("there is no previous item");
      case "nextitem":
        return index + 1 < items.length ? items[index + 1] : new Undefined("there is no next item");
      case "cycle":
        return cycle;
      case "changed":
        return changed;
      default:
        return undefined;
    }
  };
  return {
    advance: () => {
      index += 1;
    },
    value: new Callable("LoopContext", ([value]) => again(value ?? null), read),
  };
}
