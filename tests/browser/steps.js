// The steps, in order, as claims. Each stands on those before it.
import { Code } from "@connectrpc/connect";
import { Action, Reason, TransferKind, TransferPhase } from "./gen/baton/common/v1/types_pb.js";
import { ErrorReason } from "./gen/baton/common/v1/error_pb.js";
import { AgentState, Engagement_State } from "./gen/baton/presence/v1/presence_service_pb.js";
import { Recording_State } from "./gen/baton/recording/v1/recording_service_pb.js";
import { InteractionSchema, Interaction_State } from "./gen/baton/transfer/v1/interaction_pb.js";
import { RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { Stream, check, eventually, refusal, sleep } from "./desk.js";

const requestId = () => crypto.randomUUID();
const isEngaged = ({ engagements }) => engagements.some((it) => it.state === Engagement_State.ENGAGED);
const names = (actions) => actions.map((it) => Action[it]);

const foreign = {
  async "a page of another origin gets no answer"({ address, as }) {
    const open = as.ada.presence.openSession({ requestId: requestId() });
    const error = await open.then(() => null, (error) => error);
    check("the browser refuses the call", /fetch/i.test(error?.message), `${error}`);
    // What is refused is the answer: the server is there.
    const reached = await fetch(address, { mode: "no-cors" });
    check("the server is there", reached.type === "opaque", reached.type);
  },
};

const own = {
  async "an agent opens a session and is available"(desk) {
    const { presence } = desk.as.ada;
    const before = await presence.getPresence({});
    check("the other page opened nothing", before.presence.state === AgentState.OFFLINE, before);
    const { events } = desk.as.eve;
    const start = { case: "now", value: true };
    desk.tail = new Stream((options) => events.tailEvents({ start }, options));
    desk.silent = new Stream((options) => events.tailEvents({ start, filter: { type: "policy.*" } }, options));
    for (const name of ["ada", "ben"]) desk[name] = await openSession(desk.as[name].presence);
    check("the lease is an int64 of 3 s", desk.ada.session.leaseMs === 3000n, desk.ada.session);
    check("she is available", desk.ada.session.presence.state === AgentState.AVAILABLE, desk.ada.session);
  },

  async "her presence streams as it changes"(desk) {
    const { presence } = desk.as.ada;
    const { sessionId } = desk.ada.session;
    desk.watch = new Stream((options) => presence.watchAgent({ sessionId }, options));
    const first = await desk.watch.until("a welcome", () => true);
    check("she is welcomed as available", first.message.value.presence?.state === AgentState.AVAILABLE, first);
    await presence.setState({ requestId: requestId(), state: AgentState.AWAY, awayReason: "café" });
    const away = await desk.watch.until("she is away", ({ message }) => message.value.state === AgentState.AWAY);
    check("the stream says why", away.message.value.awayReason === "café", away);
    await presence.setState({ requestId: requestId(), state: AgentState.AVAILABLE });
    const from = desk.watch.messages.indexOf(away);
    await desk.watch.until("she is back", ({ message }) => message.value.state === AgentState.AVAILABLE, from);
  },

  async "a call without a token, and one that the role may not make, are refused"({ nobody, as }) {
    await refusal(nobody.presence.getPresence({}), Code.Unauthenticated, "TOKEN_MISSING");
    await refusal(as.ada.events.listEvents({}), Code.PermissionDenied, "ROLE_NOT_ALLOWED");
    const stream = new Stream((options) => as.ada.events.tailEvents({}, options));
    await stream.untilRefused(Code.PermissionDenied, "ROLE_NOT_ALLOWED");
  },

  async "a customer's call rings at her, and she has it"(desk) {
    const seen = desk.watch.messages.length;
    await desk.ask("call");
    const items = ({ message }) => (message.case === "inbox" ? message.value.active : []);
    const ringing = await desk.watch.until("it rings", (it) => items(it).some((item) => item.offered), seen);
    desk.id = items(ringing)[0].interactionId;
    await desk.watch.until("she is in it", (it) => items(it).some((item) => !item.offered), seen);
    const { interactions } = desk.as.ada;
    desk.call = new Stream((options) => interactions.watchInteraction({ interactionId: desk.id }, options));
    const view = await desk.view("she has the customer", (it) => it.primaryAgentId === desk.agents.ada);
    check("the state says so", view.state === Interaction_State.WITH_AGENT, view);
    const recorded = await desk.view("it is recorded", (it) => it.recording.live);
    check("the version is a bigint that grows", recorded.version >= view.version && recorded.version > 0n, recorded);
  },

  async "a renewed session outlives its lease, a silent one is over"(desk) {
    const { presence } = desk.as.dan;
    const { sessionId, leaseMs } = await presence.openSession({ requestId: requestId() });
    const silent = new Stream((options) => presence.watchAgent({ sessionId }, options));
    await sleep(Number(leaseMs) * 1.5);
    await silent.untilRefused(Code.Aborted, "STALE");
    await refusal(presence.renewSession({ sessionId }), Code.NotFound, "NOT_FOUND");
    const now = await desk.as.ada.presence.getPresence({});
    check("Ada is available still", now.presence.state === AgentState.AVAILABLE && isEngaged(now.presence), now);
    check("her stream goes on", desk.watch.end === undefined, `${desk.watch.end}`);
    check("she renewed", desk.ada.renewals.length > 3 && !desk.ada.failure, `${desk.ada.failure}`);
  },

  async "each action is allowed, or refused with the reason that a try gives"(desk) {
    const { interaction } = await desk.as.ada.interactions.getInteraction({ interactionId: desk.id });
    const allowed = names(interaction.allowedActions);
    const refused = names(interaction.refusedActions.map((it) => it.action));
    const all = Object.keys(Action).filter((it) => Number.isNaN(Number(it)) && it !== "UNSPECIFIED");
    const listed = [...allowed, ...refused].sort();
    check("every action is once in one of the two lists", `${listed}` === `${all.sort()}`, { allowed, refused });
    check("she may hold and hand over", ["HOLD", "START_WARM", "NOTE"].every((it) => allowed.includes(it)), allowed);
    const why = (action) => ErrorReason[interaction.refusedActions.find((it) => it.action === action)?.reason];
    check("there is nothing to complete", why(Action.COMPLETE) === "NO_TRANSFER", why(Action.COMPLETE));
    const resume = desk.as.ada.interactions.resumeCustomer({ requestId: requestId(), interactionId: desk.id });
    await refusal(resume, Code.FailedPrecondition, why(Action.RESUME));
  },

  async "hold is refused at an old version, and done at the present one"(desk) {
    const { interactions } = desk.as.ada;
    const hold = (ifVersion) => interactions.holdCustomer({ requestId: requestId(), interactionId: desk.id, ifVersion });
    const error = await refusal(hold(1n), Code.Aborted, "VERSION_CONFLICT");
    const [now] = error.findDetails(InteractionSchema);
    check("the refusal brings the call as it is", now?.interactionId === desk.id && now.version > 1n, now);
    const { interaction } = await hold(now.version);
    check("the customer is on hold", interaction.customerOnHold && interaction.version > now.version, interaction);
    const allowed = names(interaction.allowedActions);
    check("she may take them off hold", allowed.includes("RESUME") && !allowed.includes("HOLD"), allowed);
  },

  async "the picker shows who can be had, and not herself"(desk) {
    const { targets } = await desk.as.ada.presence.listTargets({});
    const agents = targets.filter((it) => it.target.target.case === "agentId");
    check("Ben alone can be had", `${agents.map((it) => [it.name, it.available])}` === "Ben,true", agents);
    const everybody = await desk.as.ada.presence.listTargets({ filter: { includeUnavailable: true } });
    const dan = everybody.targets.find((it) => it.name === "Dan");
    check("Dan is offline", dan?.presence.state === AgentState.OFFLINE && !dan.available, dan);
    check("she is not shown", !everybody.targets.some((it) => it.name === "Ada"), everybody);
  },

  async "a warm transfer consults with Ben"(desk) {
    const { transfers } = desk.as.ada;
    const target = { target: { case: "agentId", value: desk.agents.ben } };
    const request = { requestId: requestId(), interactionId: desk.id, kind: TransferKind.WARM, target, message: "VIP ☎" };
    // The deadline goes along as `grpc-timeout`; started again, it is the same transfer.
    const started = await transfers.startTransfer(request, { timeoutMs: 5000 });
    const again = await transfers.startTransfer(request, { timeoutMs: 5000 });
    desk.transferId = started.interaction.transfer.transferId;
    check("one intent, one transfer", again.interaction.transfer.transferId === desk.transferId, again);
    const { inbox } = await desk.as.ben.presence.listInbox({});
    check("Ben reads what she wrote", inbox.active[0]?.message === "VIP ☎", inbox);
    const view = await desk.view("they consult", (it) => it.transfer?.phase === TransferPhase.CONSULTING);
    check("the customer hears music", view.customerOnHold && view.transfer.recipientAgentId === desk.agents.ben, view);
    const allowed = names(view.allowedActions);
    check("she may complete", ["COMPLETE", "CANCEL", "RESUME"].every((it) => allowed.includes(it)), allowed);
  },

  async "a command that means another transfer is refused"(desk) {
    const request = { requestId: requestId(), interactionId: desk.id, transferId: `${desk.transferId}9` };
    await refusal(desk.as.ada.transfers.completeTransfer(request), Code.FailedPrecondition, "OTHER_TRANSFER");
  },

  async "completed, Ben has the customer"(desk) {
    const seen = desk.watch.messages.length;
    const request = { requestId: requestId(), interactionId: desk.id, transferId: desk.transferId };
    await desk.as.ada.transfers.completeTransfer(request);
    const view = await desk.view("it is complete", (it) => it.transfer?.phase === TransferPhase.COMPLETED);
    check("Ben is primary", view.primaryAgentId === desk.agents.ben && !view.customerOnHold, view);
    const isEmpty = ({ message }) => message.case === "inbox" && message.value.active.length === 0;
    await desk.watch.until("her inbox is empty", isEmpty, seen);
    const { presence } = await desk.as.ben.presence.getPresence({});
    check("Ben is engaged", isEngaged(presence), presence);
  },

  async "the stream of a call ends with the call, and says OK"(desk) {
    const { interactions } = desk.as.ben;
    await interactions.endInteraction({ requestId: requestId(), interactionId: desk.id });
    await desk.call.untilOk();
    const last = desk.call.messages.at(-1).interaction;
    check("its last message is the end", last.state === Interaction_State.ENDED, last);
    check("and says why", last.endReason === Reason.REQUESTED, last);
  },

  async "a recording arrives whole"(desk) {
    const { recordings } = desk.as.eve;
    const [recording] = await eventually("both recordings are stored", async () => {
      const listed = await recordings.listRecordings({ interactionId: desk.id });
      const stored = listed.recordings.filter((it) => it.state === Recording_State.STORED);
      return stored.length === 2 && stored;
    });
    const segment = recording.segments[0];
    const request = { recordingId: recording.recordingId, segmentId: segment.segmentId };
    const download = new Stream((options) => recordings.downloadRecording(request, options));
    await download.untilOk();
    check("it came in pieces", download.messages.length > 1, download.messages.length);
    const file = new Blob(download.messages.map((it) => it.chunk));
    check("its size", BigInt(file.size) === segment.sizeBytes, [file.size, segment]);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
    const hex = [...digest].map((it) => it.toString(16).padStart(2, "0")).join("");
    check("its digest", hex === segment.sha256, [hex, segment]);
  },

  async "a supervisor follows the events, and a checkpoint where there are none"(desk) {
    const wanted = ["interaction.opened", "transfer.consulting", "transfer.completed", "interaction.ended"].map((name) => `dev.baton.${name}.v1`);
    for (const type of wanted) {
      const { event } = await desk.tail.until(type, (it) => it.event?.type === type);
      check("it is about the call", event.subject.includes(desk.id), event);
    }
    check("each has a cursor", desk.tail.messages.every((it) => it.cursor), desk.tail.messages.length);
    const checkpoint = await eventually("a checkpoint", () => desk.silent.messages[0], 20_000);
    check("it has no event", checkpoint.cursor && !checkpoint.event, checkpoint);
    desk.silent.close();
  },

  async "when the server stops, streams end with UNAVAILABLE and a time to wait"(desk) {
    for (const name of ["ada", "ben"]) {
      desk[name].stopRenewing();
      check("every renewal was answered", !desk[name].failure, `${desk[name].failure}`);
    }
    for (const stream of [desk.watch, desk.tail]) check("it is open", stream.end === undefined, `${stream.end}`);
    await desk.ask("stop");
    for (const stream of [desk.watch, desk.tail]) {
      const end = await stream.untilRefused(Code.Unavailable, "UNAVAILABLE");
      const [retry] = end.findDetails(RetryInfoSchema);
      check("RetryInfo says when", retry?.retryDelay, retry);
    }
  },
};

/** A session that is renewed three times a lease until it is told to stop. */
async function openSession(presence) {
  const session = await presence.openSession({ requestId: requestId(), client: "browser-test/1" });
  const opened = { session, renewals: [], failure: null };
  const renew = async () => {
    try {
      opened.renewals.push(await presence.renewSession({ sessionId: session.sessionId }));
    } catch (error) {
      opened.failure = error;
    }
  };
  const timer = setInterval(renew, Number(session.leaseMs) / 3);
  opened.stopRenewing = () => clearInterval(timer);
  return opened;
}

export const pages = { foreign, own };
