/**
 * An HTML page as an answer, with the headers that keep it harmless: nothing is loaded from elsewhere, only the page's
 * own inline script and style run (named by a nonce), and no other site may frame it. JSON answers carry none of this.
 */

import type { Random } from "../ports.ts";

/** A finished page: the answer puts the nonce on its `<script>` and `<style>`. */
export interface HtmlPage {
  /** Text with `NONCE` where the nonce belongs. */
  readonly html: string;
}

/** Where a page wants its nonce. */
export const NONCE = "%NONCE%";

/** 200 with the page; never cached, since the nonce is new every time. A UUID of version 4 holds 122 random bits. */
export function htmlResponse(page: HtmlPage, random: Random): Response {
  const nonce = random.uuid().replaceAll("-", "");
  return new Response(page.html.replaceAll(NONCE, nonce), {
    status: 200,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": [
        "default-src 'none'",
        `script-src 'nonce-${nonce}'`,
        `style-src 'nonce-${nonce}'`,
        "img-src data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
      ].join("; "),
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cross-origin-opener-policy": "same-origin",
    },
  });
}
