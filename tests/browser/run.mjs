// Runs the page in a headless browser against a running Baton: serves it, does for it what a page can't, prints the result of each step.
// Ends with 1 if a step failed or was not reached.
import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Baton } from "./baton.mjs";
import { pages } from "./steps.js";

const LIMIT_MS = 120_000;
/** Short, so that the test sees a lease end. */
const LEASE_MS = "3000";
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const QUIET = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const HTML = '<!doctype html><title>Baton</title><script type="module" src="/bundle.js"></script>';

const bundle = await readFile(new URL("gen/bundle.js", import.meta.url));
const missing = new Set(Object.values(pages).flatMap(Object.keys));
let failed = false;

function report({ name, failure, seconds }) {
  missing.delete(name);
  failed ||= failure !== "";
  console.log(`${failure ? "FAILED" : "ok    "} ${name} (${seconds.toFixed(1)} s)${failure && `\n${failure}`}`);
}

/** Serves the page from an origin of its own; `answers` has what it may ask by POST. */
async function serve(answers) {
  const server = createServer(async (request, response) => {
    const files = { "/": ["text/html", HTML], "/bundle.js": ["text/javascript", bundle] };
    if (request.method === "GET") {
      const [type, text] = files[request.url] ?? ["text/plain", ""];
      response.writeHead(text ? 200 : 404, { "content-type": type }).end(text);
      return;
    }
    try {
      const body = JSON.parse(Buffer.concat(await request.toArray()));
      response.end(JSON.stringify((await answers[request.url](body)) ?? {}));
    } catch (error) {
      response.writeHead(500).end(`${error}`);
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, origin: `http://127.0.0.1:${server.address().port}` };
}

/** For a page: what it is, where Baton is, the agents' ids, tokens. */
async function setup(baton, page) {
  const listed = JSON.parse(await baton.run("agent", "list", "--json"));
  const agents = Object.fromEntries(listed.map((it) => [it.phone, it.agent_id]));
  const tokens = { eve: await baton.token("supervisor", "eve") };
  for (const name of ["ada", "ben", "dan"]) tokens[name] = await baton.token("agent", agents[name]);
  return { ...page, address: baton.address, agents, tokens };
}

/** What the page asks for. */
const asked = {
  call: (baton) => baton.run("call", "place"),
  async stop(baton) {
    const end = await baton.stop();
    if (end !== 0) throw new Error(`the server ended with ${end}`);
  },
};

/** Shows the page; when the browser has ended, `ended` says how. */
function browse(origin) {
  const profile = mkdtempSync(join(tmpdir(), "baton-chromium-"));
  const args = [...QUIET, `--user-data-dir=${profile}`, origin];
  const env = { ...process.env, TMPDIR: profile };
  const browser = spawn(CHROMIUM, args, { detached: true, env, stdio: ["ignore", "ignore", "pipe"] });
  let words = "";
  browser.stderr.on("data", (piece) => (words = `${words}${piece}`.slice(-4000)));
  const ended = new Promise((resolve) => {
    browser.on("error", (error) => resolve(error.message));
    browser.on("exit", (code, signal) => resolve(`the browser ended (${code ?? signal}):\n${words}`));
  });
  const close = async () => {
    // The group: a browser is many processes.
    if (browser.exitCode === null && browser.pid) process.kill(-browser.pid, "SIGKILL");
    await ended;
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  };
  return { ended, close };
}

/** Plays the pages; the answer says what went wrong beside the steps. What it starts is ended by `cleanup`. */
async function play(cleanup) {
  let baton;
  const answers = { "/result": report, "/ask": async ({ what }) => void (await asked[what](baton)) };
  const over = new Promise((resolve) => (answers["/over"] = ({ problem }) => resolve(problem)));
  const own = await serve({ ...answers, "/setup": () => setup(baton, { page: "own" }) });
  const foreign = await serve({ ...answers, "/setup": () => setup(baton, { page: "foreign", next: own.origin }) });
  for (const { server } of [own, foreign]) cleanup.push(() => server.closeAllConnections());
  baton = new Baton({ BATON_SERVER__WEB_ORIGINS: JSON.stringify([own.origin]), BATON_PRESENCE__LEASE_MS: LEASE_MS });
  cleanup.push(() => baton.remove());
  await baton.listening();
  const browser = browse(foreign.origin);
  cleanup.push(browser.close);
  return Promise.race([over, browser.ended]);
}

const cleanup = [];
const late = new Promise((resolve) => setTimeout(resolve, LIMIT_MS, `not over within ${LIMIT_MS / 1000} s`));
const interrupted = new Promise((resolve) => ["SIGINT", "SIGTERM"].map((signal) => process.once(signal, resolve)));
const problem = await Promise.race([play(cleanup), late, interrupted]).catch((error) => error.message);
for (const end of cleanup.reverse()) await end();
if (problem) console.log(`FAILED ${problem}`);
for (const name of missing) console.log(`not reached: ${name}`);
process.exit(failed || problem || missing.size > 0 ? 1 : 0);
