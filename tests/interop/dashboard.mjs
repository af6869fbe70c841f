// The dashboard and the documentation in a real browser, driven by puppeteer-core: what a person sees during a sync that works, one that
// is refused, and while a server is fenced. Needs Chromium: TIDEGATE_CHROMIUM, or chromium / google-chrome on the PATH.
//   TIDEGATE_SCREENSHOTS=DIR keeps a picture of each state.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { binaryOf } from "../../scripts/runtimes.mjs";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];
/** Words that no person should see: values that slipped through as text. */
const SLIPS = /\b(null|undefined|NaN)\b|\[object/;

function findChromium() {
  const named = process.env.TIDEGATE_CHROMIUM;
  const places = (process.env.PATH ?? "").split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return [named, ...places].find((file) => file !== undefined && existsSync(file));
}

/** A body that comes in ten parts, the later ones slowly, so that the page can be looked at in between. */
function slowly(bytes, milliseconds) {
  const size = Math.ceil(bytes.length / 10);
  let sent = 0;
  return new ReadableStream({
    async pull(controller) {
      if (sent >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(sent, sent + size));
      sent += size;
      if (sent > bytes.length / 2) await sleep(milliseconds);
    },
  });
}

const upload = (url, label, body) =>
  fetch(`${url}/api/weight-syncs?label=${label}`, {
    method: "POST",
    body,
    duplex: "half",
    headers: { "content-type": "application/octet-stream", prefer: "wait=60" },
  });

/** One page with everything it complained about. */
async function openPage(browser, path) {
  const page = await browser.newPage();
  await page.setViewport({ width: 1200, height: 900 });
  const complaints = [];
  const host = new URL(path).host;
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    const { host: asked, protocol } = new URL(request.url());
    if (protocol !== "data:" && asked !== host) complaints.push(`asks ${request.url()}`);
  });
  await page.goto(path);
  return { page, complaints };
}

const textOf = (page, selector = "main") => page.$eval(selector, (node) => node.innerText);
const wide = (page) => page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);

async function waitForText(page, selector, pattern, label) {
  const end = Date.now() + 15_000;
  let text = "";
  while (Date.now() < end) {
    text = await textOf(page, selector);
    if (pattern.test(text)) return text;
    await sleep(50);
  }
  throw new Error(
    `${label}: ${selector} never showed ${pattern}; at the end it was ${JSON.stringify(text.slice(0, 400))}`,
  );
}

/** `tools`: the suite's run, start, startGateway, waitFor, stop, count, root, repository. */
export async function dashboard(tools) {
  const { start, startGateway, waitFor, stop, count, root, repository } = tools;
  const executablePath = findChromium();
  const modules = join(root, "node/node_modules/puppeteer-core/package.json");
  if (executablePath === undefined || !existsSync(modules)) {
    console.log(
      `skipped: dashboard (${executablePath === undefined ? "no Chromium" : "no puppeteer-core"}: see tests/interop/setup.sh)`,
    );
    return;
  }
  const { default: puppeteer } = await import(createRequire(modules).resolve("puppeteer-core"));
  const pictures = process.env.TIDEGATE_SCREENSHOTS;
  if (pictures !== undefined) mkdirSync(pictures, { recursive: true });
  const shoot = (page, name) =>
    pictures === undefined ? undefined : page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
  const browser = await puppeteer.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
  const check = async (label, body) => {
    try {
      await body();
      count(label, true);
    } catch (error) {
      count(`${label}: ${error.message}`, false);
    }
  };
  const expect = (holds, message) => {
    if (!holds) throw new Error(message);
  };
  const weights = readFileSync(join(repository, "models/tide-nano/trained/model.safetensors"));
  try {
    await embedded({ startGateway, stop, check, expect, shoot, browser, weights });
    await fenced({ start, startGateway, waitFor, stop, check, expect, shoot, browser, repository });
  } finally {
    await browser.close();
  }
}

async function embedded({ startGateway, stop, check, expect, shoot, browser, weights }) {
  const gateway = await startGateway(18480, ["--replicas", "3"]);
  const { page, complaints } = await openPage(browser, `${gateway.url}/`);
  await check("dashboard: live, three replicas, version 0", async () => {
    await page.waitForSelector('#live[data-on="yes"]', { timeout: 10_000 });
    const text = await textOf(page);
    for (const word of ["embedded-0", "embedded-1", "embedded-2", "tide-nano"])
      expect(text.includes(word), `no ${word}`);
    expect((await textOf(page, "#summary")).includes("Weight version\n0"), "version 0 is not in the summary");
    expect(!SLIPS.test(text), `shows ${SLIPS.exec(text)?.[0]}`);
    await shoot(page, "1-live");
  });
  await check("dashboard: a sync is seen as it goes, then its version", async () => {
    const sync = upload(gateway.url, "step-412", slowly(weights, 300));
    const during = await waitForText(page, "#sync", /running/, "during the upload");
    expect(/Version 1 · step-412/.test(during), "no version and label");
    expect(
      (await page.$eval('.phases [data-at="now"]', (node) => node.textContent)) === "receive",
      "receive is not the phase",
    );
    await waitForText(page, "#syncs", /running/, "the table of syncs");
    await shoot(page, "2-sync");
    const { status } = await sync;
    expect(status === 200, `the sync ended with ${status}`);
    await waitForText(page, "#sync", /completed/, "after the upload");
    await waitForText(page, "#versions", /step-412/, "the table of versions");
    await waitForText(page, "#summary", /Weight version\n1\n/, "the summary");
    expect(!SLIPS.test(await textOf(page)), `shows ${SLIPS.exec(await textOf(page))?.[0]}`);
  });
  await check("dashboard: a refused sync says why, the fleet stays ready", async () => {
    await upload(gateway.url, "step-413", weights.subarray(0, 100_000));
    const text = await waitForText(page, "#sync", /failed/, "after a truncated upload");
    expect(/weights_truncated: .*embed_tokens/.test(text), `no reason in ${text}`);
    expect((await textOf(page, "#summary")).includes("ready"), "the fleet is not ready");
  });
  await check("dashboard: fits a phone", async () => {
    await page.setViewport({ width: 375, height: 800 });
    expect(!(await wide(page)), "the page is wider than the screen");
    await shoot(page, "3-phone");
  });
  await check("dashboard: no error, nothing asked of anybody else", async () => {
    expect(complaints.length === 0, complaints.join("; "));
  });
  await check("documentation: every link inside it leads somewhere, fits a phone", async () => {
    const docs = await openPage(browser, `${gateway.url}/docs`);
    const dead = await docs.page.$$eval('a[href^="#"]', (links) =>
      links.map((link) => link.getAttribute("href")).filter((href) => document.getElementById(href.slice(1)) === null),
    );
    expect(dead.length === 0, `dead: ${dead.slice(0, 5).join(", ")}`);
    await shoot(docs.page, "4-docs");
    await docs.page.setViewport({ width: 375, height: 800 });
    expect(!(await wide(docs.page)), "the page is wider than the screen");
    expect(docs.complaints.length === 0, docs.complaints.join("; "));
  });
  await stop(gateway.child);
  await check("dashboard: a gateway that ended is shown as such", () =>
    waitForText(page, "#live", /Not connected/, "after SIGTERM"),
  );
  await page.close();
}

async function fenced({ start, startGateway, waitFor, stop, check, expect, shoot, browser, repository }) {
  const fakes = [18481, 18482].map((port) => `http://127.0.0.1:${port}`);
  const startFake = (url) =>
    start(binaryOf("bun"), ["tests/fakes/vllm-server.ts", "--port", new URL(url).port, "--token-delay", "1"]);
  const servers = fakes.map(startFake);
  for (const [at, url] of fakes.entries()) await waitFor(`${url}/health`, 30, servers[at]);
  const key = "correct-horse-battery";
  const gateway = await startGateway(18483, [...fakes.flatMap((url) => ["--upstream", url]), "--api-key", `me=${key}`]);
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json", prefer: "wait=60" };
  const { page } = await openPage(browser, `${gateway.url}/`);
  await check("dashboard: asks for a key, refuses a wrong one, opens with the right one", async () => {
    await page.waitForSelector("#key:not([hidden])", { timeout: 10_000 });
    await page.type("#key-input", "wrong");
    await page.click("#key button");
    await waitForText(page, "#live", /Needs a key/, "a wrong key");
    await page.waitForSelector("#key:not([hidden])");
    await page.$eval("#key-input", (input) => {
      input.value = "";
    });
    await page.type("#key-input", key);
    await page.click("#key button");
    await page.waitForSelector('#live[data-on="yes"]', { timeout: 10_000 });
  });
  const post = (path, body) => fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  const sync = (weights) =>
    post(`${gateway.url}/api/weight-syncs`, {
      source: { kind: "disk", path: join(repository, `models/tide-nano/${weights}`) },
    });
  await check(
    "dashboard: a server that ended is named with its reason and a call that tells more; its return is seen",
    async () => {
      const good = await sync("trained");
      expect(good.status === 200, `sync: ${good.status} ${(await good.text()).slice(0, 300)}`);
      await stop(servers[0]);
      const text = await waitForText(page, "#trouble", /unreachable/, "a server that ended");
      expect(/vllm-0/.test(text) && text.includes(fakes[0]), `neither its name nor its place: ${text}`);
      await shoot(page, "5-fenced");
      const more = /curl (\S+)/.exec(text)?.[1];
      const told = await fetch(more ?? gateway.url, { headers });
      expect(told.ok && (await told.json()).id === "vllm-0", `the call in ${text} answers ${told.status}`);
      servers[0] = startFake(fakes[0]);
      await page.waitForSelector("#trouble[hidden]", { timeout: 20_000 });
      await waitForText(page, "#servers", /vllm-0\s+ready[\s\S]*?Version\s+1\s/, "the server that came back");
      await shoot(page, "6-back");
    },
  );
  await page.close();
  await stop(gateway.child);
  for (const server of servers) await stop(server);
}
