/** A set of strings that finds all its members at a place of a text. Flat arrays: 250,000 words take some 30 MB, not 300. */

/** Walks by UTF-16 unit; each word carries a number. */
export class Trie {
  #capacity = 1024;
  #parents = new Int32Array(this.#capacity).fill(-1);
  #units = new Uint16Array(this.#capacity);
  #children = new Int32Array(this.#capacity);
  #edges = 0;
  #values = new Int32Array(512).fill(-1);
  #nodes = 1;

  #slot(parent: number, unit: number): number {
    const mask = this.#capacity - 1;
    let at = (Math.imul(parent, 0x9e3779b1) ^ Math.imul(unit, 0x85ebca6b)) & mask;
    while (this.#parents[at] !== -1 && !(this.#parents[at] === parent && this.#units[at] === unit))
      at = (at + 1) & mask;
    return at;
  }
  #grow(): void {
    const [parents, units, children] = [this.#parents, this.#units, this.#children];
    this.#capacity *= 2;
    this.#parents = new Int32Array(this.#capacity).fill(-1);
    this.#units = new Uint16Array(this.#capacity);
    this.#children = new Int32Array(this.#capacity);
    for (let at = 0; at < parents.length; at += 1) {
      const parent = parents[at] ?? -1;
      if (parent === -1) continue;
      const slot = this.#slot(parent, units[at] ?? 0);
      this.#parents[slot] = parent;
      this.#units[slot] = units[at] ?? 0;
      this.#children[slot] = children[at] ?? 0;
    }
  }

  /** Adds a word; a word that is there already gets the new number. */
  add(word: string, value: number): void {
    let node = 0;
    for (let at = 0; at < word.length; at += 1) {
      const unit = word.charCodeAt(at);
      let slot = this.#slot(node, unit);
      if (this.#parents[slot] === -1) {
        if (this.#edges * 2 >= this.#capacity) {
          this.#grow();
          slot = this.#slot(node, unit);
        }
        this.#parents[slot] = node;
        this.#units[slot] = unit;
        this.#children[slot] = this.#nodes;
        this.#edges += 1;
        if (this.#nodes >= this.#values.length) {
          const wider = new Int32Array(this.#values.length * 2).fill(-1);
          wider.set(this.#values);
          this.#values = wider;
        }
        this.#nodes += 1;
      }
      node = this.#children[slot] ?? 0;
    }
    this.#values[node] = value;
  }

  /** Calls `found` with each word that begins at `start`, shortest first. */
  match(text: string, start: number, found: (end: number, value: number) => void): void {
    let node = 0;
    for (let at = start; at < text.length; at += 1) {
      const slot = this.#slot(node, text.charCodeAt(at));
      if (this.#parents[slot] === -1) return;
      node = this.#children[slot] ?? 0;
      const value = this.#values[node] ?? -1;
      if (value !== -1) found(at + 1, value);
    }
  }
}
