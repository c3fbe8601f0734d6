// What the steps share: clients, streams that are read as they come, and waiting for what must become true.
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { EventService } from "./gen/baton/event/v1/event_service_pb.js";
import { PresenceService } from "./gen/baton/presence/v1/presence_service_pb.js";
import { RecordingService } from "./gen/baton/recording/v1/recording_service_pb.js";
import { InteractionService } from "./gen/baton/transfer/v1/interaction_service_pb.js";
import { TransferService } from "./gen/baton/transfer/v1/transfer_service_pb.js";
import { ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";

const BOUND_MS = 10_000;
const LOOK_EVERY_MS = 20;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Desk {
  constructor({ address, agents, tokens }, ask) {
    this.address = address;
    this.agents = agents;
    this.as = Object.fromEntries(Object.entries(tokens).map(([name, token]) => [name, clients(address, token)]));
    this.nobody = clients(address, "");
    /** Asks the runner for what is not in the page: a customer's call, the end of the server. */
    this.ask = (what) => ask("/ask", { what });
  }

  /** The call as Ada sees it, as soon as it is so. */
  async view(what, matches) {
    return (await this.call.until(what, (it) => matches(it.interaction))).interaction;
  }
}

function clients(address, token) {
  const authorize = (next) => (request) => {
    if (token) request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
  const transport = createGrpcWebTransport({ baseUrl: address, interceptors: [authorize] });
  return {
    events: createClient(EventService, transport),
    interactions: createClient(InteractionService, transport),
    presence: createClient(PresenceService, transport),
    recordings: createClient(RecordingService, transport),
    transfers: createClient(TransferService, transport),
  };
}

/** A stream that is read as it comes, until it ends or is closed. A browser has six connections to a host that has no TLS, and each
 * open stream takes one: the steps have five at most, so that calls get through. */
export class Stream {
  messages = [];
  /** How it ended: an error, or `null` for OK; `undefined` while it goes on. */
  end;
  #closing = new AbortController();

  /** `call` begins the stream with the options that it is given. */
  constructor(call) {
    this.#read(call({ signal: this.#closing.signal }));
  }

  async #read(messages) {
    try {
      for await (const message of messages) this.messages.push(message);
      this.end = null;
    } catch (error) {
      this.end = ConnectError.from(error);
    }
  }

  /** The first message from the one with the number `from` on that matches. */
  async until(what, matches, from = 0) {
    return eventually(what, () => {
      const found = this.messages.slice(from).find(matches);
      check(`${what} before the stream ends`, found || this.end === undefined, `${this.end ?? "OK"}`);
      return found;
    });
  }

  /** Waits until it has ended by this error. */
  async untilRefused(code, reason) {
    await eventually(`the stream has ended with ${reason}`, () => this.end !== undefined);
    checkError(this.end, code, reason);
    return this.end;
  }

  /** Waits until it has ended with OK. */
  async untilOk() {
    await eventually("the stream has ended", () => this.end !== undefined);
    check("it ended with OK", this.end === null, `${this.end}`);
  }

  close() {
    this.#closing.abort();
  }
}

/** What `look` gives as soon as it gives something. */
export async function eventually(what, look, boundMs = BOUND_MS) {
  for (const end = performance.now() + boundMs; performance.now() < end; await sleep(LOOK_EVERY_MS)) {
    const found = await look();
    if (found) return found;
  }
  throw new Error(`not within ${boundMs / 1000} s: ${what}`);
}

export function check(claim, holds, seen) {
  if (!holds) throw new Error(`not so: ${claim}; seen: ${text(seen)}`);
}

/** The error with which a call is refused. It must have this code, and this reason of the contract's closed list. */
export async function refusal(call, code, reason) {
  const error = await call.then(
    (answer) => { throw new Error(`not refused with ${reason}: ${text(answer)}`); },
    (error) => ConnectError.from(error),
  );
  checkError(error, code, reason);
  return error;
}

function checkError(error, code, reason) {
  check(`an error with ${Code[code]}`, error instanceof ConnectError && error.code === code, `${error}`);
  const info = error.findDetails(ErrorInfoSchema)[0];
  check(`ErrorInfo says baton.dev, ${reason}`, info?.domain === "baton.dev" && info.reason === reason, info);
}

function text(value) {
  return JSON.stringify(value, (key, it) => (typeof it === "bigint" ? `${it}` : key === "$unknown" ? undefined : it));
}
