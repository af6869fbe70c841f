/** What `tidegate doctor` found, as data and as text. */

/** One thing that was looked at. `mend` is there exactly when it is not fine. */
export interface Finding {
  readonly level: "ok" | "warning" | "failure";
  readonly subject: string;
  readonly found: string;
  readonly mend?: string;
}

const MARK = { ok: "ok  ", warning: "warn", failure: "FAIL" } as const;

/** Findings as text: one line each, the mend below. */
export const showFindings = (findings: readonly Finding[]): string =>
  findings
    .map(
      ({ level, subject, found, mend }) => `${MARK[level]}  ${subject}: ${found}\n${mend ? `      → ${mend}\n` : ""}`,
    )
    .join("");
