/**
 * The dashboard's own program, as the text that the browser runs: a client of the HTTP API like any other. It reads
 * the present with GET, then follows `/api/events` through `fetch`, so that a bearer key can go along. Everything it
 * shows goes through `textContent`; no data is ever read as HTML.
 */
export const DASHBOARD_SCRIPT = String.raw`
"use strict";
(() => {
const PHASES = ["receive", "stage", "verify", "drain", "switch", "publish"];
const TONES = { ready: "good", completed: "good", degraded: "busy", starting: "busy", draining: "busy", syncing: "busy", paused: "busy",
  running: "busy", unavailable: "bad", quarantined: "bad", unreachable: "bad", failed: "bad", aborted: "bad" };
const KEY = "tidegate.key";
const $ = (id) => document.getElementById(id);
const store = { get: () => { try { return sessionStorage.getItem(KEY); } catch { return null; } },
  set: (key) => { try { sessionStorage.setItem(KEY, key); } catch { /* private window: keep it for this page only */ } } };
let key = store.get();
let fleet, sync, versions = [], syncs = [];

function el(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null) continue;
    if (name === "data") Object.assign(node.dataset, value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value);
  }
  for (const child of children) if (child !== null && child !== undefined) node.append(child);
  return node;
}
// What is absent is left out: replaceChildren itself would write the word "null".
const fill = (node, ...children) => node.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
const state = (word) => el("span", { class: "state", data: { tone: TONES[word] ?? "" } }, String(word));
const short = (digest) => digest ? digest.replace(/^sha256:/, "").slice(0, 12) : "–";
const digest = (value) => el("span", { class: "mono", title: value ?? "" }, short(value));
const number = (value) => value === null || value === undefined ? "–" : String(value);
const bytes = (value) => { let unit = 0; while (value >= 1024 && unit < 4) { value /= 1024; unit += 1; }
  return (unit === 0 ? String(value) : value.toFixed(1)) + " " + ["B", "KiB", "MiB", "GiB", "TiB"][unit]; };
const when = (iso) => { const date = new Date(iso); return Number.isNaN(date.getTime()) ? "–" : el("time", { datetime: iso, title: iso }, date.toLocaleString()); };
const share = (done, total) => total > 0 ? Math.min(100, Math.round(100 * done / total)) : 0;

function bar(done, total, word, label) {
  const part = el("i");
  const percent = word === "completed" ? 100 : share(done, total);
  part.style.width = percent + "%";
  return el("div", { class: "bar", role: "progressbar", "aria-label": label, "aria-valuemin": "0", "aria-valuemax": "100",
    "aria-valuenow": String(percent), data: { state: word } }, part);
}
function facts(pairs) {
  const list = el("dl", { class: "facts" });
  for (const [name, value] of pairs.filter(Boolean)) list.append(el("dt", null, name), el("dd", null, value));
  return list;
}

function drawSummary() {
  if (!fleet) return;
  const inFlight = fleet.servers.reduce((sum, server) => sum + server.in_flight, 0);
  const items = [["Fleet", state(fleet.state)], ["Weight version", number(fleet.weight_version)], ["Digest", digest(fleet.weight_digest)],
    ["Replicas", String(fleet.servers.length)], ["World size", number(fleet.world_size)], ["In flight", String(inFlight)]];
  fill($("summary"), ...items.map(([name, value]) => el("div", null, el("dt", null, name), el("dd", null, value))));
  drawTrouble();
}
// What a person must look at, with the call that mends it. A replica that loads or drains is on its way and not listed.
const MENDS = { quarantined: (id) => "curl -X POST " + location.origin + "/api/servers/" + encodeURIComponent(id) + "/refit",
  unreachable: (id) => "curl " + location.origin + "/api/servers/" + encodeURIComponent(id) };
function drawTrouble() {
  const ill = fleet.servers.filter((server) => MENDS[server.state]);
  $("trouble").hidden = ill.length === 0;
  if (ill.length === 0) return;
  fill($("trouble"), el("h2", null, ill.length === 1 ? "One replica gets no requests" : ill.length + " replicas get no requests"),
    ...ill.map((server) => el("div", { class: "ill" }, el("strong", null, server.id), " ", state(server.state),
      el("p", null, server.last_error ?? "No reason was given."), el("code", null, MENDS[server.state](server.id) + (key ? ' -H "authorization: Bearer $KEY"' : "")))));
}
const waiting = (details) => typeof details.waiting_sequences === "number" && details.waiting_sequences > 0 ? ", " + details.waiting_sequences + " waiting" : "";
function versionOf(server) {
  if (server.weight_version === null || server.weight_version === fleet.weight_version) return number(server.weight_version);
  return el("span", { class: "behind" }, String(server.weight_version) + ", the fleet is at " + fleet.weight_version);
}
function drawServers() {
  if (!fleet) return;
  const cards = fleet.servers.map((server) => el("article", { class: "card" },
    el("div", { class: "head" }, el("h3", null, server.id), state(server.state)),
    facts([["Kind", server.kind + (server.url ? " · " + server.url : "")], ["Version", versionOf(server)],
      ["Digest", digest(server.weight_digest)], ["In flight", number(server.in_flight) + waiting(server.details)], ["World size", number(server.world_size)],
      server.residency && server.residency.process_bytes ? ["Memory", bytes(server.residency.process_bytes)] : null,
      ["Models", server.models.join(", ") || "–"]]),
    server.last_error ? el("p", { class: "error" }, server.last_error) : null));
  fill($("servers"), ...(cards.length ? cards : [el("p", { class: "soft" }, "No replica is attached. POST /api/servers adds one.")]));
}
function drawSync() {
  $("sync-section").hidden = !sync;
  if (!sync) return;
  const at = PHASES.indexOf(sync.phase);
  const past = (index) => sync.state === "completed" || index < at ? "past" : index === at ? "now" : "ahead";
  const rows = sync.servers.map((server) => el("div", null, el("span", null, server.id),
    bar(server.bytes_done, server.bytes_total, server.phase === "switched" ? "completed" : sync.state, server.id), el("span", null, server.phase)));
  fill($("sync"),
    el("div", { class: "head" }, el("h3", null, "Version " + sync.version + (sync.label ? " · " + sync.label : "")), state(sync.state)),
    bar(sync.bytes_done, sync.bytes_total, sync.state, "Weight sync"),
    el("div", { class: "soft" }, bytes(sync.bytes_done) + " of " + bytes(sync.bytes_total) + " · " + sync.source.kind + " · " + sync.id),
    el("ol", { class: "phases" }, ...PHASES.map((phase, index) => el("li", { data: { at: past(index) } }, phase))),
    el("div", { class: "replicas" }, ...rows),
    sync.error ? el("p", { class: "error" }, sync.error.code + ": " + sync.error.message) : null);
}
function table(headings, rows, empty) {
  if (rows.length === 0) return el("p", { class: "soft" }, empty);
  return el("div", { class: "scroll" }, el("table", null,
    el("thead", null, el("tr", null, ...headings.map(([text, kind]) => el("th", { class: kind, scope: "col" }, text)))),
    el("tbody", null, ...rows.map((cells) => el("tr", null, ...cells.map((cell, index) => el("td", { class: headings[index][1] }, cell)))))));
}
function drawHistory() {
  fill($("versions"), table([["Version"], ["Label"], ["Digest", "wide"], ["Since"], ["By"], ["How", "wide"]],
    versions.map((one) => [String(one.version), one.label ?? "–", digest(one.digest), when(one.created_at), one.created_by, one.source]), "No version yet."));
  fill($("syncs"), table([["Sync", "wide"], ["Version"], ["State"], ["Started"], ["Outcome"]],
    syncs.map((one) => [el("span", { class: "mono" }, one.id), String(one.version), state(one.state), when(one.created_at),
      one.error ? one.error.code + ": " + one.error.message : one.label ?? "–"]), "No weight sync yet."));
}

class Refused extends Error {}
async function ask(path, signal) {
  const response = await fetch(path, { headers: key ? { authorization: "Bearer " + key } : {}, signal, cache: "no-store" });
  if (response.status === 401 || response.status === 403) {
    const problem = await response.json().catch(() => ({}));
    throw new Refused(problem.detail ?? "This gateway asks for an API key with the scope read.");
  }
  if (!response.ok) throw new Error(path + ": " + response.status);
  return response;
}
async function loadHistory() {
  const [first, second] = await Promise.all([ask("/api/weight-versions?limit=20"), ask("/api/weight-syncs?limit=10")]);
  versions = (await first.json()).weight_versions;
  syncs = (await second.json()).weight_syncs;
  if (!sync && syncs.length > 0) { sync = syncs[0]; drawSync(); }
  drawHistory();
}
function take(event) {
  if (event.type === "fleet") { fleet = event.fleet; drawSummary(); drawServers(); }
  if (event.type === "server" && fleet) {
    const index = fleet.servers.findIndex((server) => server.id === event.server.id);
    if (index < 0) fleet.servers.push(event.server); else fleet.servers[index] = event.server;
    drawSummary(); drawServers();
  }
  if (event.type === "sync") {
    // The tables change when a sync begins and when it ends, not with each of its bytes.
    const turned = !sync || sync.id !== event.sync.id || sync.state !== event.sync.state;
    sync = event.sync; drawSync();
    if (turned) loadHistory().catch(() => {});
  }
}
async function follow() {
  const response = await ask("/api/events");
  live(true, "Live");
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const next = await reader.read();
    if (next.done) return;
    text += next.value;
    let end;
    while ((end = text.indexOf("\n\n")) >= 0) {
      const data = text.slice(0, end).split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)).join("\n");
      text = text.slice(end + 2);
      if (data) take(JSON.parse(data));
    }
  }
}
function live(on, word) { $("live").dataset.on = on ? "yes" : "no"; $("live").textContent = word; }
// Requests in flight and memory change without an event: ask now and then, while somebody looks.
setInterval(async () => {
  if (document.hidden || $("live").dataset.on !== "yes") return;
  try { fleet = await (await ask("/api/fleet")).json(); drawSummary(); drawServers(); } catch { /* the feed says so */ }
}, 3000);
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
async function run() {
  for (let failures = 0; ; ) {
    try {
      fleet = await (await ask("/api/fleet")).json();
      $("key").hidden = true; $("content").hidden = false;
      drawSummary(); drawServers();
      await loadHistory();
      failures = 0;
      await follow();
      live(false, "Asking again");
    } catch (error) {
      if (error instanceof Refused) {
        live(false, "Needs a key");
        $("content").hidden = true; $("key").hidden = false; $("key-reason").textContent = error.message; $("key-input").focus();
        return;
      }
      failures += 1;
      live(false, "Not connected");
    }
    await pause(Math.min(10000, 500 * 2 ** Math.min(failures, 5)));
  }
}
$("key").addEventListener("submit", (event) => { event.preventDefault(); key = $("key-input").value.trim(); store.set(key); run(); });
run();
})();
`;
