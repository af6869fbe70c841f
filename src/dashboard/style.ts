/** The look that the dashboard and the documentation share: system fonts, two colour schemes, readable on a phone. */

/** Colours, type and boxes for every page. */
export const BASE_STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f6f7f5; --surface: #ffffff; --ink: #1b2625; --soft: #5c6b69; --line: #dde3e0;
  --tide: #0f766e; --tide-soft: #d7ece8; --good: #15803d; --warn: #b45309; --bad: #b91c1c; --code: #eef2f0;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #101716; --surface: #18211f; --ink: #e3ebe8; --soft: #93a5a1; --line: #2a3734;
    --tide: #5ec8bb; --tide-soft: #16403b; --good: #4ade80; --warn: #fbbf24; --bad: #f87171; --code: #212d2a;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
a { color: var(--tide); text-underline-offset: 2px; }
h1, h2, h3 { line-height: 1.2; text-wrap: balance; }
code, pre, .mono { font-family: var(--mono); font-size: .86em; }
code { background: var(--code); padding: .1em .35em; border-radius: 4px; overflow-wrap: anywhere; }
pre { background: var(--code); padding: .8rem 1rem; border-radius: 8px; overflow: auto; max-height: 26rem; line-height: 1.45; }
pre code { background: none; padding: 0; overflow-wrap: normal; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: .8rem; }
th, td { padding: .45rem .75rem .45rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
.scroll { overflow-x: auto; }
.soft { color: var(--soft); }
:focus-visible { outline: 2px solid var(--tide); outline-offset: 2px; }
`;

/** What only the dashboard has. */
export const DASHBOARD_STYLE = `
main, header.top { max-width: 68rem; margin: 0 auto; padding: 0 1.25rem; }
header.top { display: flex; flex-wrap: wrap; align-items: baseline; gap: .5rem 1.25rem; padding-top: 1.75rem; }
header.top h1 { font-size: 1.35rem; margin: 0; letter-spacing: -.01em; }
header.top nav { margin-left: auto; display: flex; gap: 1rem; font-size: .9rem; }
.live { font-size: .85rem; color: var(--soft); }
.live::before, .state::before { content: ""; display: inline-block; width: .55em; height: .55em; border-radius: 50%; margin-right: .45em; background: var(--soft); }
.live[data-on="yes"]::before { background: var(--good); }
.state { white-space: nowrap; font-size: .9rem; }
.state[data-tone="good"]::before { background: var(--good); }
.state[data-tone="busy"]::before { background: var(--warn); }
.state[data-tone="bad"]::before { background: var(--bad); }
.summary { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1px; margin: 1.25rem 0 0; background: var(--line); border: 1px solid var(--line); border-radius: 10px; overflow: hidden; }
.summary div { background: var(--surface); padding: .8rem 1rem; min-width: 0; }
.summary dt { color: var(--soft); font-size: .8rem; }
.summary dd { margin: .1rem 0 0; font-size: 1.15rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 2.25rem 0 .75rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr)); gap: .9rem; }
.card { background: var(--surface); border: 1px solid var(--line); border-radius: 10px; padding: 1rem; min-width: 0; }
.card h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
.card .head { display: flex; justify-content: space-between; gap: .75rem; align-items: baseline; }
.facts { display: grid; grid-template-columns: auto 1fr; gap: .2rem .9rem; margin: .75rem 0 0; font-size: .9rem; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; overflow-wrap: anywhere; text-align: right; }
.facts .behind { color: var(--warn); }
.trouble { border-color: var(--bad); margin-top: 1.25rem; }
.trouble h2 { margin: 0 0 .5rem; color: var(--bad); }
.trouble .ill + .ill { margin-top: .9rem; }
.trouble p { margin: .2rem 0 .35rem; font-size: .9rem; overflow-wrap: anywhere; }
.error { color: var(--bad); font-size: .88rem; margin: .7rem 0 0; overflow-wrap: anywhere; }
.bar { height: .5rem; border-radius: 1rem; background: var(--tide-soft); overflow: hidden; margin: .6rem 0 .3rem; }
.bar i { display: block; height: 100%; width: 0; border-radius: inherit; background: var(--tide); transition: width .25s ease-out; }
.bar[data-state="failed"] i, .bar[data-state="aborted"] i { background: var(--bad); }
.phases { display: flex; flex-wrap: wrap; gap: .3rem .4rem; list-style: none; margin: .75rem 0 0; padding: 0; font-size: .82rem; color: var(--soft); }
.phases li { padding: .1rem .55rem; border-radius: 1rem; border: 1px solid var(--line); }
.phases li[data-at="past"] { background: var(--tide-soft); border-color: transparent; color: var(--ink); }
.phases li[data-at="now"] { border-color: var(--tide); color: var(--ink); font-weight: 600; }
.replicas { margin-top: 1rem; display: grid; gap: .35rem; font-size: .88rem; }
.replicas > div { display: grid; grid-template-columns: minmax(6rem, 12rem) 1fr 6rem; gap: .75rem; align-items: center; }
.replicas .bar { margin: 0; }
.replicas span:last-child { text-align: right; color: var(--soft); }
form.key { display: flex; flex-wrap: wrap; gap: .6rem; align-items: end; margin-top: 1.25rem; }
form.key label { display: grid; gap: .25rem; font-size: .85rem; color: var(--soft); flex: 1 1 16rem; }
input, button { font: inherit; padding: .5rem .75rem; border-radius: 8px; border: 1px solid var(--line); background: var(--surface); color: inherit; }
button { background: var(--tide); color: var(--surface); border-color: transparent; cursor: pointer; }
footer { max-width: 68rem; margin: 2.5rem auto 2rem; padding: 0 1.25rem; font-size: .85rem; color: var(--soft); }
[hidden] { display: none !important; }
@media (prefers-reduced-motion: reduce) { .bar i { transition: none; } }
@media (max-width: 34rem) { .replicas > div { grid-template-columns: 1fr 5rem; } .replicas .bar { grid-column: 1 / -1; grid-row: 2; } .wide { display: none; } }
`;

/** What only the documentation has. */
export const DOCS_STYLE = `
.layout { display: grid; grid-template-columns: 17rem minmax(0, 1fr); max-width: 82rem; margin: 0 auto; }
nav.side { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow: auto; padding: 1.75rem 1rem 2rem 1.25rem; font-size: .88rem; }
nav.side h2 { font-size: .8rem; color: var(--soft); margin: 1.25rem 0 .35rem; font-weight: 600; }
nav.side ul { list-style: none; margin: 0; padding: 0; }
nav.side a { display: block; padding: .14rem 0; color: var(--ink); text-decoration: none; overflow-wrap: anywhere; }
nav.side .method { margin-right: .35rem; }
nav.side a:hover { color: var(--tide); text-decoration: underline; }
main { padding: 1.75rem 1.25rem 4rem; min-width: 0; }
main > section > h2 { font-size: 1.4rem; margin: 3rem 0 .25rem; }
p { max-width: 46rem; }
article { background: var(--surface); border: 1px solid var(--line); border-radius: 10px; margin: 1rem 0; padding: 1rem 1.25rem; scroll-margin-top: 1rem; }
article h3 { margin: 0; font-size: 1.05rem; display: flex; flex-wrap: wrap; gap: .3rem .75rem; align-items: baseline; }
.method { font: 600 .8rem var(--mono); color: var(--tide); }
.path { font-family: var(--mono); font-size: .95rem; overflow-wrap: anywhere; }
article h4 { margin: 1.1rem 0 .3rem; font-size: .85rem; color: var(--soft); font-weight: 600; }
details { border-top: 1px solid var(--line); }
details > summary { cursor: pointer; padding: .45rem 0; }
details > summary .status { font-family: var(--mono); font-weight: 600; margin-right: .6rem; }
.scope { font-size: .82rem; color: var(--soft); margin-left: auto; }
@media (max-width: 52rem) { .layout { grid-template-columns: minmax(0, 1fr); } nav.side { position: static; max-height: none; padding-bottom: 0; } nav.side ul { columns: 2; } }
`;
