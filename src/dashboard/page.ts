/** The dashboard: one page, no build, nothing loaded from elsewhere. Fixed text; all data comes later over the API. */
import { type HtmlPage, NONCE } from "../http/html.ts";
import { DASHBOARD_SCRIPT } from "./script.ts";
import { BASE_STYLE, DASHBOARD_STYLE } from "./style.ts";

/** The page as `GET /` answers it. */
export const DASHBOARD_PAGE: HtmlPage = {
  html: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tidegate</title>
<link rel="icon" href="data:,">
<style nonce="${NONCE}">${BASE_STYLE}${DASHBOARD_STYLE}</style>
</head>
<body>
<header class="top">
<h1>Tidegate</h1>
<span class="live" id="live" role="status" data-on="no">Connecting</span>
<nav><a href="/docs">API</a> <a href="/metrics">Metrics</a></nav>
</header>
<main>
<form class="key" id="key" hidden>
<label><span id="key-reason">API key with the scope read</span><input id="key-input" type="password" autocomplete="off" spellcheck="false" required></label>
<button type="submit">Open</button>
</form>
<div id="content">
<dl class="summary" id="summary"></dl>
<section class="card trouble" id="trouble" role="alert" hidden></section>
<section id="sync-section" hidden><h2>Latest weight sync</h2><div class="card" id="sync" aria-live="polite"></div></section>
<section><h2>Replicas</h2><div class="cards" id="servers"></div></section>
<section><h2>Weight versions</h2><div id="versions"></div></section>
<section><h2>Weight syncs</h2><div id="syncs"></div></section>
</div>
<noscript><p>This page follows the fleet with JavaScript. Without it: <code>curl /api/fleet</code>.</p></noscript>
</main>
<footer>Every figure on this page comes from <a href="/docs">the same API</a> that trainers use.</footer>
<script nonce="${NONCE}">${DASHBOARD_SCRIPT}</script>
</body>
</html>
`,
};
