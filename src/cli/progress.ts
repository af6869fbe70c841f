/** A progress bar on a terminal; on anything else one line per tenth, so that a log stays readable. */

/** Shows how far something is. */
export interface Progress {
  /** `total` 0 = not known yet. */
  update(label: string, done: number, total: number): void;
  /** Leaves the line; nothing may be shown afterwards. */
  end(): void;
}

const BAR_WIDTH = 30;
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** `5242880` → `5.0 MiB`. */
export function toSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** Creates the display. `write` takes text for standard error. */
export function createProgress(write: (text: string) => void, terminal: boolean): Progress {
  let lastLine = "";
  let lastTenth = -1;
  let lastLabel = "";
  return {
    update(label, done, total) {
      const part = total > 0 ? Math.min(1, done / total) : 0;
      const amount = total > 0 ? `${toSize(done)} of ${toSize(total)}` : "";
      if (terminal) {
        const full = Math.round(part * BAR_WIDTH);
        const line = `${label.padEnd(8)} [${"█".repeat(full)}${"·".repeat(BAR_WIDTH - full)}] ${amount}`;
        if (line !== lastLine) write(`\r\u001b[2K${line}`);
        lastLine = line;
        return;
      }
      const tenth = Math.floor(part * 10);
      if (label === lastLabel && tenth === lastTenth) return;
      lastLabel = label;
      lastTenth = tenth;
      write(`${label}${total > 0 ? ` ${tenth * 10} % (${amount})` : ""}\n`);
    },
    end() {
      if (terminal && lastLine !== "") write("\n");
    },
  };
}
