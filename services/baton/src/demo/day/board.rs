//! The switchboard, as people see it: which phones ring for whom, who talks with whom, and who has gone. It reads the switch's
//! ledger, writes down what the phones did, and tells whoever waits for something to happen.

use std::collections::HashMap;
use std::sync::Arc;

use baton_switch::SwitchHandle;
use baton_switch::engine::model::RoomTreatment;
use baton_switch::engine::{LedgerAction, LedgerEntry};
use parking_lot::{Mutex, MutexGuard};
use serde_json::json;
use tokio::sync::{mpsc, watch};

use super::diary::Diary;

/// A phone rings.
#[derive(Debug)]
pub(super) struct Ring {
    pub(super) leg: WatchedLeg,
    /// What it shows.
    pub(super) customer: String,
    /// How many phones have rung for this customer, this one included.
    pub(super) nth: u64,
}

/// One leg at somebody's phone.
#[derive(Debug, Clone)]
pub(super) struct WatchedLeg {
    pub(super) id: String,
    is_over: watch::Receiver<bool>,
}

impl WatchedLeg {
    /// Waits until it has ended.
    pub(super) async fn over(&mut self) {
        // The board is there for as long as anybody waits.
        let _ = self.is_over.wait_for(|it| *it).await;
    }

    pub(super) fn is_over(&self) -> bool {
        *self.is_over.borrow()
    }
}

/// How a customer's call stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CallView {
    pub(super) customer_leg: String,
    /// Agents whose phones ring.
    pub(super) rings: Vec<usize>,
    /// Agents who are connected.
    pub(super) talks: Vec<usize>,
    /// The customer's phone is connected, whoever called.
    pub(super) has_answered: bool,
    pub(super) in_voicemail: bool,
    pub(super) is_over: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LegOwner {
    Customer,
    Agent(usize),
}

#[derive(Debug)]
struct LegRecord {
    customer: String,
    owner: LegOwner,
    is_over: watch::Sender<bool>,
}

#[derive(Debug)]
struct CallRecord {
    view: watch::Sender<CallView>,
    rung: u64,
}

#[derive(Debug, Default)]
struct BoardState {
    legs: HashMap<String, LegRecord>,
    calls: HashMap<String, CallRecord>,
    /// What is heard in each room.
    rooms: HashMap<String, &'static str>,
    /// Where each customer is, and what they heard last.
    places: HashMap<String, (String, &'static str)>,
}

#[derive(Debug)]
pub(super) struct Board {
    /// By the addresses of their phones.
    agents: HashMap<String, (usize, mpsc::UnboundedSender<Ring>)>,
    diary: Arc<Diary>,
    state: Mutex<BoardState>,
}

impl Board {
    pub(super) fn new(agents: HashMap<String, (usize, mpsc::UnboundedSender<Ring>)>, diary: Arc<Diary>) -> Self {
        Self { agents, diary, state: Mutex::default() }
    }

    /// The call of this customer, whether it was placed already or not.
    pub(super) fn call(&self, customer: &str) -> watch::Receiver<CallView> {
        self.state().call(customer).view.subscribe()
    }

    /// The leg at an agent's phone that belongs to this customer's call.
    pub(super) fn leg_of(&self, customer: &str, agent: usize) -> Option<String> {
        let state = self.state();
        let is_it = |leg: &LegRecord| leg.customer == customer && leg.owner == LegOwner::Agent(agent);
        state.legs.iter().find(|(_, leg)| is_it(leg)).map(|(id, _)| id.clone())
    }

    /// Reads the ledger until the switch stops.
    pub(super) async fn read(self: Arc<Self>, switch: SwitchHandle) {
        let Ok(mut more) = switch.with(|state| state.watch_ledger()).await else { return };
        let mut after = 0;
        loop {
            let read = move |state: &mut baton_switch::SwitchState| {
                state.ledger_after(after).cloned().collect::<Vec<Arc<LedgerEntry>>>()
            };
            let Ok(entries) = switch.with(read).await else { return };
            for entry in entries {
                after = entry.sequence;
                self.note(&entry);
            }
            if more.changed().await.is_err() {
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, BoardState> {
        self.state.lock()
    }

    fn note(&self, entry: &LedgerEntry) {
        let at_us = entry.occurred_at_us;
        let mut state = self.state();
        match &entry.action {
            LedgerAction::CallPlaced { leg_id, address, called } => {
                let more = json!({ "customer": address, "leg": leg_id.as_str(), "number": called });
                self.diary.note(at_us, "customer_calls", more);
                state.add_leg(leg_id.as_str(), address, LegOwner::Customer);
                state.call(address).view.send_modify(|view| leg_id.as_str().clone_into(&mut view.customer_leg));
            }
            LedgerAction::LegDialed { leg_id, address, caller_id } => {
                if let Some((agent, _)) = self.agents.get(address) {
                    state.add_leg(leg_id.as_str(), caller_id, LegOwner::Agent(*agent));
                } else {
                    // A number is dialled without its plus.
                    let customer = format!("+{}", address.trim_start_matches('+'));
                    state.add_leg(leg_id.as_str(), &customer, LegOwner::Customer);
                    state.call(&customer).view.send_modify(|view| leg_id.as_str().clone_into(&mut view.customer_leg));
                }
            }
            LedgerAction::LegRinging { leg_id } => self.rings(&mut state, at_us, leg_id.as_str()),
            LedgerAction::LegAnswered { leg_id } => self.answered(&mut state, at_us, leg_id.as_str()),
            LedgerAction::LegEnded { leg_id, cause, side } => {
                let how = json!({ "leg": leg_id.as_str(), "cause": cause, "by": side });
                self.ends(&mut state, at_us, leg_id.as_str(), how);
            }
            LedgerAction::RoomEnsured { room_id, treatment } => {
                let heard = treatment_word(*treatment);
                state.rooms.insert(room_id.to_string(), heard);
                let inside =
                    state.places.iter().filter(|(_, (room, before))| *room == room_id.as_str() && *before != heard);
                let customers: Vec<_> = inside.map(|(customer, _)| customer.clone()).collect();
                for customer in customers {
                    self.hears(&mut state, at_us, customer, room_id.to_string());
                }
            }
            LedgerAction::LegMoved { leg_id, room_id, .. } => {
                if let Some((customer, LegOwner::Customer)) = state.leg(leg_id.as_str()) {
                    let room = room_id.as_ref().map(ToString::to_string).unwrap_or_default();
                    self.hears(&mut state, at_us, customer, room);
                }
            }
            LedgerAction::ExitStarted { leg_id, mailbox, .. } => {
                if let Some((customer, LegOwner::Customer)) = state.leg(leg_id.as_str()) {
                    self.diary.note(
                        at_us,
                        "customer_in_voicemail",
                        json!({ "customer": customer, "mailbox": mailbox }),
                    );
                    state.call(&customer).view.send_modify(|view| view.in_voicemail = true);
                }
            }
            _ => {}
        }
    }

    fn rings(&self, state: &mut BoardState, at_us: i64, leg_id: &str) {
        let Some((customer, LegOwner::Agent(agent))) = state.leg(leg_id) else { return };
        self.diary.note(at_us, "phone_rings", json!({ "customer": customer, "leg": leg_id, "agent": agent }));
        let call = state.call(&customer);
        call.rung += 1;
        let nth = call.rung;
        call.view.send_modify(|view| view.rings.push(agent));
        let Some(record) = state.legs.get(leg_id) else { return };
        let leg = WatchedLeg { id: leg_id.to_owned(), is_over: record.is_over.subscribe() };
        if let Some((_, rings)) = self.agents.values().find(|(no, _)| *no == agent) {
            // Nobody is there any more who could hear it.
            let _ = rings.send(Ring { leg, customer, nth });
        }
    }

    fn answered(&self, state: &mut BoardState, at_us: i64, leg_id: &str) {
        let Some((customer, owner)) = state.leg(leg_id) else { return };
        let mut more = json!({ "customer": customer, "leg": leg_id });
        let view = &state.call(&customer).view;
        match owner {
            LegOwner::Customer => {
                self.diary.note(at_us, "customer_answered", more);
                view.send_modify(|view| view.has_answered = true);
            }
            LegOwner::Agent(agent) => {
                more["agent"] = json!(agent);
                self.diary.note(at_us, "phone_answered", more);
                view.send_modify(|view| {
                    view.rings.retain(|it| *it != agent);
                    view.talks.push(agent);
                });
            }
        }
    }

    fn ends(&self, state: &mut BoardState, at_us: i64, leg_id: &str, mut how: serde_json::Value) {
        let Some(LegRecord { customer, owner, is_over }) = state.legs.remove(leg_id) else { return };
        how["customer"] = json!(customer);
        let view = &state.call(&customer).view;
        match owner {
            LegOwner::Customer => {
                self.diary.note(at_us, "customer_gone", how);
                view.send_modify(|view| view.is_over = true);
                state.places.remove(&customer);
            }
            LegOwner::Agent(agent) => {
                how["agent"] = json!(agent);
                self.diary.note(at_us, "phone_over", how);
                view.send_modify(|view| {
                    view.rings.retain(|it| *it != agent);
                    view.talks.retain(|it| *it != agent);
                });
            }
        }
        is_over.send_replace(true);
    }

    fn hears(&self, state: &mut BoardState, at_us: i64, customer: String, room: String) {
        let heard = state.rooms.get(&room).copied().unwrap_or("nothing");
        self.diary.note(at_us, "customer_hears", json!({ "customer": customer, "heard": heard }));
        state.places.insert(customer, (room, heard));
    }
}

impl BoardState {
    fn call(&mut self, customer: &str) -> &mut CallRecord {
        let new = || CallRecord { view: watch::Sender::default(), rung: 0 };
        self.calls.entry(customer.to_owned()).or_insert_with(new)
    }

    fn leg(&self, leg_id: &str) -> Option<(String, LegOwner)> {
        self.legs.get(leg_id).map(|leg| (leg.customer.clone(), leg.owner))
    }

    fn add_leg(&mut self, leg_id: &str, customer: &str, owner: LegOwner) {
        let record = LegRecord { customer: customer.to_owned(), owner, is_over: watch::Sender::new(false) };
        self.legs.insert(leg_id.to_owned(), record);
    }
}

fn treatment_word(treatment: RoomTreatment) -> &'static str {
    match treatment {
        RoomTreatment::Conversation => "conversation",
        RoomTreatment::HoldMusic => "music",
        RoomTreatment::Ringback => "ringing",
        RoomTreatment::Silence => "nothing",
    }
}
