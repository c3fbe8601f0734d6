// `baton up` in a data folder of its own, and its command line.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const BIN = process.env.BATON_BIN ?? fileURLToPath(new URL("../../target/debug/baton", import.meta.url));
/** Longer than an orderly end may take. */
const END_MS = 15_000;

/** The settings of whoever runs the test are not those of the test. */
const environment = (own) => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("BATON_"))),
  ...own,
});

export class Baton {
  data = mkdtempSync(join(tmpdir(), "baton-browser-"));

  constructor(settings) {
    const args = ["up", "--data", this.data, "--listen", "127.0.0.1:0", "--exit-with-stdin"];
    this.up = spawn(BIN, args, { env: environment(settings), stdio: ["pipe", "pipe", "inherit"] });
    this.ended = new Promise((resolve) => {
      this.up.on("error", (error) => resolve(`${BIN}: ${error.message}`));
      this.up.on("exit", (code, signal) => resolve(code ?? signal));
    });
  }

  /** Waits until it listens. */
  async listening() {
    const refused = this.ended.then((end) => { throw new Error(`the server did not start: ${end}`); });
    // The first line is also for programs: it ends with the address.
    const [line] = await Promise.race([once(createInterface(this.up.stdout), "line"), refused]);
    refused.catch(() => {});
    this.address = line.split(" ").at(-1);
  }

  /** What a command prints. */
  async run(...args) {
    const { stdout } = await promisify(execFile)(BIN, [...args, "--data", this.data], { env: environment({}) });
    return stdout.trim();
  }

  token(role, subject) {
    return this.run("token", "--role", role, "--subject", subject);
  }

  /** An orderly end; its exit code, or how else it ended. */
  async stop() {
    this.up.kill("SIGTERM");
    const killing = setTimeout(() => this.up.kill("SIGKILL"), END_MS);
    const end = await this.ended;
    clearTimeout(killing);
    return end;
  }

  async remove() {
    await this.stop();
    await rm(this.data, { recursive: true, force: true });
  }
}
