/** Types of `junit.mjs`, which is plain JavaScript like the test entry that uses it. */

/** Numbers of test cases. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}
/** Passed, failed and skipped cases of a JUnit report. */
export function countJunit(xml: string): Counts;
/** `N passed, N failed`, and the skipped where there are any. */
export function toClosingLine(counts: Counts): string;
