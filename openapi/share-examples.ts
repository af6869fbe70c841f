/** Moves examples that several responses have in common into `components.examples`: the document's diff is read by people. */

type Node = Record<string, unknown>;

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null;

/** Every `examples` map of a media type below `node`. */
function* exampleMaps(node: unknown): Generator<Node> {
  if (!isNode(node)) return;
  for (const [key, value] of Object.entries(node)) {
    if (key === "examples" && isNode(value) && !Array.isArray(value)) yield value;
    else yield* exampleMaps(value);
  }
}

/** Changes `paths` in place and returns the shared examples, named after their key, numbered where keys clash. */
export function shareExamples(paths: unknown): Node {
  const uses = new Map<string, number>();
  for (const map of exampleMaps(paths)) {
    for (const example of Object.values(map)) {
      const text = JSON.stringify(example);
      uses.set(text, (uses.get(text) ?? 0) + 1);
    }
  }
  const names = new Map<string, string>();
  const shared: Node = {};
  for (const map of exampleMaps(paths)) {
    for (const [key, example] of Object.entries(map)) {
      const text = JSON.stringify(example);
      if ((uses.get(text) ?? 0) < 2) continue;
      let name = names.get(text);
      if (name === undefined) {
        name = key;
        for (let number = 2; Object.hasOwn(shared, name); number += 1) name = `${key}_${number}`;
        names.set(text, name);
        shared[name] = example;
      }
      map[key] = { $ref: `#/components/examples/${name}` };
    }
  }
  return shared;
}
