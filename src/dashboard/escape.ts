/** Text into HTML: the one function through which all data goes on the server's side, and a very small Markdown. Pure. */

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/**
 * Makes text safe inside elements and quoted attributes.
 *
 * @example
 * ```ts
 * import { escapeHtml } from "./escape.ts";
 * if (escapeHtml("<a b='c'>") !== "&lt;a b=&#39;c&#39;&gt;") throw new Error("not escaped");
 * ```
 */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (mark) => ENTITIES[mark] ?? mark);

/** Escaped text with `code` spans. */
export const toInlineHtml = (text: string): string => escapeHtml(text).replace(/`([^`]+)`/g, "<code>$1</code>");

function toTable(lines: readonly string[]): string {
  const rows = lines
    .filter((line) => !/^\|[-|: ]+\|$/.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => toInlineHtml(cell.trim())),
    );
  const [head = [], ...body] = rows;
  const toRow = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join("")}</tr>`;
  return `<div class="scroll"><table><thead>${toRow(head, "th")}</thead><tbody>${body.map((row) => toRow(row, "td")).join("")}</tbody></table></div>`;
}

/** Paragraphs, code spans and tables: as much Markdown as our own descriptions use. */
export function toBlocksHtml(text: string): string {
  return text
    .split(/\n{2,}/)
    .map((block) => (block.startsWith("|") ? toTable(block.trim().split("\n")) : `<p>${toInlineHtml(block)}</p>`))
    .join("\n");
}
