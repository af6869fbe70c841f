/**
 * A small registry of counters, gauges and histograms with the Prometheus text exposition format (0.0.4). Own code
 * because the common client library needs Node modules that the edge lacks. Label values are bounded per metric.
 */

export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(labels: Labels, amount?: number): void;
  /** The same for one set of labels that comes often: no label text is made per call. */
  bind(labels: Labels): () => void;
}
export interface Gauge {
  set(labels: Labels, value: number): void;
}
export interface Histogram {
  observe(labels: Labels, value: number): void;
  /** As `Counter.bind`. */
  bind(labels: Labels): (value: number) => void;
}

/** A metric never keeps more label sets than this: an attacker who invents models must not fill the memory. */
const SERIES_LIMIT = 1000;

const escapeLabel = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

function labelKey(names: readonly string[], labels: Labels): string {
  let key = "";
  for (const name of names) key += `${key === "" ? "" : ","}${name}="${escapeLabel(labels[name] ?? "")}"`;
  return key;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  lines(): string[];
}

function series<T>(names: readonly string[], make: () => T): { at(labels: Labels): T; all: Map<string, T> } {
  const all = new Map<string, T>();
  return {
    all,
    at(labels) {
      let key = labelKey(names, labels);
      let found = all.get(key);
      if (found === undefined) {
        if (all.size >= SERIES_LIMIT) {
          key = names.map((name) => `${name}="other"`).join(",");
          found = all.get(key);
        }
        if (found === undefined) {
          found = make();
          all.set(key, found);
        }
      }
      return found;
    },
  };
}

const braces = (key: string): string => (key === "" ? "" : `{${key}}`);

export class Metrics {
  readonly #families: Family[] = [];
  readonly #collectors: (() => void)[] = [];

  counter(name: string, help: string, labelNames: readonly string[] = []): Counter {
    const cells = series(labelNames, () => ({ value: 0 }));
    this.#families.push({
      name,
      help,
      type: "counter",
      lines: () => [...cells.all].map(([key, cell]) => `${name}${braces(key)} ${cell.value}`),
    });
    return {
      add(labels, amount = 1) {
        cells.at(labels).value += amount;
      },
      bind(labels) {
        const cell = cells.at(labels);
        return () => {
          cell.value += 1;
        };
      },
    };
  }

  gauge(name: string, help: string, labelNames: readonly string[] = []): Gauge {
    const cells = series(labelNames, () => ({ value: 0 }));
    this.#families.push({
      name,
      help,
      type: "gauge",
      lines: () => [...cells.all].map(([key, cell]) => `${name}${braces(key)} ${cell.value}`),
    });
    return {
      set(labels, value) {
        cells.at(labels).value = value;
      },
    };
  }

  /** `bounds` are upper bounds in ascending order, in the unit that the name ends in. */
  histogram(name: string, help: string, bounds: readonly number[], labelNames: readonly string[] = []): Histogram {
    const cells = series(labelNames, () => ({
      counts: new Array<number>(bounds.length + 1).fill(0),
      sum: 0,
      count: 0,
    }));
    this.#families.push({
      name,
      help,
      type: "histogram",
      lines: () =>
        [...cells.all].flatMap(([key, cell]) => {
          const prefix = key === "" ? "" : `${key},`;
          let total = 0;
          const buckets = cell.counts.map((count, index) => {
            total += count;
            const le = index < bounds.length ? String(bounds[index]) : "+Inf";
            return `${name}_bucket{${prefix}le="${le}"} ${total}`;
          });
          return [...buckets, `${name}_sum${braces(key)} ${cell.sum}`, `${name}_count${braces(key)} ${cell.count}`];
        }),
    });
    const enter = (cell: ReturnType<typeof cells.at>, value: number): void => {
      let index = 0;
      while (index < bounds.length && value > (bounds[index] ?? Number.POSITIVE_INFINITY)) index += 1;
      cell.counts[index] = (cell.counts[index] ?? 0) + 1;
      cell.sum += value;
      cell.count += 1;
    };
    return {
      observe: (labels, value) => enter(cells.at(labels), value),
      bind(labels) {
        const cell = cells.at(labels);
        return (value) => enter(cell, value);
      },
    };
  }

  /** Runs `collect` before each exposition, for gauges that are read rather than written. */
  onCollect(collect: () => void): void {
    this.#collectors.push(collect);
  }

  /** The text exposition; content type `text/plain; version=0.0.4; charset=utf-8`. */
  expose(): string {
    for (const collect of this.#collectors) collect();
    return this.#families
      .flatMap((family) => [
        `# HELP ${family.name} ${family.help}`,
        `# TYPE ${family.name} ${family.type}`,
        ...family.lines(),
      ])
      .join("\n")
      .concat("\n");
  }
}
