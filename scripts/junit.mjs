/** Counts the test cases of a JUnit report. The three runners nest suites differently, but all write `testcase` elements. */

const CASE = /<testcase\b((?:[^>"]|"[^"]*")*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g;

/** Passed, failed and skipped cases. Deno reports a `describe` as a case of its own; those are left out. */
export function countJunit(xml) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  // Text between the tags may quote XML; CDATA sections are its only unescaped home.
  const plain = xml.replaceAll(/<!\[CDATA\[[\s\S]*?\]\]>/g, "");
  const cases = [...plain.matchAll(CASE)].map(([, attributes, body = ""]) => ({
    name: /\bname="([^"]*)"/.exec(attributes)?.[1] ?? "",
    body,
  }));
  const parents = new Set();
  if (/<testsuites name="deno test"/.test(plain)) {
    for (const { name } of cases) {
      const parts = name.split(" &gt; ");
      for (let depth = 1; depth < parts.length; depth += 1) parents.add(parts.slice(0, depth).join(" &gt; "));
    }
  }
  for (const { name, body } of cases) {
    if (parents.has(name)) continue;
    if (/<(failure|error)\b/.test(body)) counts.failed += 1;
    else if (/<skipped\b/.test(body)) counts.skipped += 1;
    else counts.passed += 1;
  }
  return counts;
}

/** The closing line that tools read: `N passed, N failed`, and the skipped where there are any. */
export const toClosingLine = ({ passed, failed, skipped }) =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
