/** Python's `strftime` in the C locale, as chat templates use it (`strftime_now`). Local time of the process. */

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

const pad = (value: number, width = 2): string => String(value).padStart(width, "0");

const dayOfYear = (date: Date): number =>
  Math.round(
    (Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - Date.UTC(date.getFullYear(), 0, 1)) / 86_400_000,
  ) + 1;

const PARTS: Readonly<Record<string, (date: Date) => string>> = {
  a: (date) => (DAYS[date.getDay()] ?? "").slice(0, 3),
  A: (date) => DAYS[date.getDay()] ?? "",
  b: (date) => (MONTHS[date.getMonth()] ?? "").slice(0, 3),
  B: (date) => MONTHS[date.getMonth()] ?? "",
  d: (date) => pad(date.getDate()),
  e: (date) => String(date.getDate()).padStart(2, " "),
  f: (date) => pad(date.getMilliseconds() * 1000, 6),
  F: (date) => toPythonTime(date, "%Y-%m-%d"),
  H: (date) => pad(date.getHours()),
  I: (date) => pad(date.getHours() % 12 || 12),
  j: (date) => pad(dayOfYear(date), 3),
  m: (date) => pad(date.getMonth() + 1),
  M: (date) => pad(date.getMinutes()),
  p: (date) => (date.getHours() < 12 ? "AM" : "PM"),
  S: (date) => pad(date.getSeconds()),
  T: (date) => toPythonTime(date, "%H:%M:%S"),
  w: (date) => String(date.getDay()),
  y: (date) => pad(date.getFullYear() % 100),
  Y: (date) => String(date.getFullYear()),
  "%": () => "%",
};

/**
 * Formats a date; `%-d` (glibc) leaves the padding out; an unknown code stays as it is.
 *
 * @example
 * ```ts
 * import { toPythonTime } from "./python-time.ts";
 * if (toPythonTime(new Date(2026, 6, 4), "%d %b %Y") !== "04 Jul 2026") throw new Error("format changed");
 * ```
 */
export function toPythonTime(date: Date, format: string): string {
  return format.replaceAll(/%(-?)([a-zA-Z%])/g, (whole, minus: string, code: string) => {
    const part = PARTS[code];
    if (part === undefined) return whole;
    const text = part(date);
    return minus === "" ? text : text.replace(/^[0 ]+(?=.)/, "");
  });
}
