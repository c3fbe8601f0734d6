//! What is decided before the day begins: who works when, who calls when, and what is to come of each call. All of it follows from
//! the seed; when things then really happen, the diary says.

use std::time::Duration;

use super::dice::Dice;

/// When the first customer may call, after the simulated clock has begun.
const OPENING: Duration = Duration::from_mins(10);
/// How long customers call.
const HOURS: Duration = Duration::from_hours(10);
/// How the calls are spread over the hours; the tops are late in the morning and in the afternoon.
const HOURLY: [f64; 10] = [5.0, 9.0, 13.0, 12.0, 8.0, 9.0, 13.0, 13.0, 10.0, 8.0];
/// So many calls for each agent.
const CALLS_PER_AGENT: usize = 50;
const FEWEST_AGENTS: usize = 9;

/// So many customers are called by each agent.
const ERRANDS: usize = 2;
/// How the numbers begin of customers who are called.
pub(super) const DIALLED: &str = "+3248";

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// The whole day.
#[derive(Debug)]
pub(super) struct DayPlan {
    pub(super) seed: u64,
    pub(super) shifts: Vec<Shift>,
    pub(super) calls: Vec<PlannedCall>,
}

/// When an agent works. Moments are counted from the beginning of simulated time.
#[derive(Debug, Clone)]
pub(super) struct Shift {
    pub(super) begins: Duration,
    pub(super) ends: Duration,
    /// In order; a break begins when the agent is free.
    pub(super) breaks: Vec<Break>,
    /// Customers whom the agent calls, when they are free.
    pub(super) errands: Vec<Errand>,
    /// When the client is silent for longer than a session lives.
    pub(super) silent_from: Option<Duration>,
    /// The client dies at the end, instead of saying goodbye.
    pub(super) is_cut_off: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Break {
    pub(super) begins: Duration,
    pub(super) lasts: Duration,
    pub(super) reason: &'static str,
}

/// A customer who is called.
#[derive(Debug, Clone)]
pub(super) struct Errand {
    pub(super) at: Duration,
    /// The customer's number, which nobody else has.
    pub(super) customer: String,
    /// How long their phone rings until they answer; `None`: they don't.
    pub(super) answers_after: Option<Duration>,
    pub(super) talk: Duration,
}

/// A customer who will call.
#[derive(Debug, Clone)]
pub(super) struct PlannedCall {
    pub(super) no: usize,
    /// The customer's number, which nobody else has.
    pub(super) customer: String,
    pub(super) at: Duration,
    /// Which of the tenant's numbers.
    pub(super) number: usize,
    /// How long they wait for somebody: at first, and if they are left alone once more.
    pub(super) patience: [Duration; 2],
    /// How long their message is, if they come to voicemail.
    pub(super) message: Duration,
    pub(super) script: Script,
}

/// What is to happen once somebody has answered.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) talk: Duration,
    pub(super) hold: Option<HoldScript>,
    pub(super) transfer: Option<TransferScript>,
    /// Whoever has the customer after the first transfer hands them over once more.
    pub(super) again: Option<TransferScript>,
    /// In the middle of it the agent says that they will be away, which they are after the call.
    pub(super) away_after: Option<Duration>,
    /// With whoever has the customer at last.
    pub(super) last_talk: Duration,
    pub(super) ends: EndsBy,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct HoldScript {
    pub(super) lasts: Duration,
    /// The customer hangs up at the end of it.
    pub(super) is_given_up: bool,
    pub(super) talk_after: Duration,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct TransferScript {
    pub(super) is_warm: bool,
    pub(super) target: PlannedTarget,
    /// How long the initiator waits for an answer.
    pub(super) patience: Duration,
    pub(super) consult: Duration,
    pub(super) comes_to: ConsultEnd,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum PlannedTarget {
    Team(usize),
    Agent(usize),
}

/// How a consult ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConsultEnd {
    Completed,
    /// The initiator hangs up, which completes it.
    LeftByInitiator,
    /// All three talk, then the initiator hangs up: at once, or after the two have been alone once more.
    Joined {
        together: Duration,
        alone_again: Option<Duration>,
    },
    Cancelled,
    /// The recipient hangs up.
    LeftByRecipient,
    /// The customer hangs up on hold.
    GivenUp,
}

/// Who ends the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndsBy {
    Customer,
    AgentsPhone,
    /// The agent leaves, in their client.
    AgentsClient,
    /// The agent ends the call for everybody.
    EndForAll,
}

/// What somebody does whose phone rings.
#[derive(Debug, Clone, Copy)]
pub(super) enum RingReaction {
    AnswersAfter(Duration),
    DeclinesAfter(Duration),
    Misses,
}

impl DayPlan {
    pub(super) fn make(seed: u64, calls: usize, teams: usize, numbers: usize) -> Self {
        let agents = (calls / CALLS_PER_AGENT).max(FEWEST_AGENTS);
        let mut times: Vec<_> = (0..calls).map(|no| arrival(&mut Dice::of(seed, "arrival", &[no as u64]))).collect();
        times.sort_unstable();
        let calls = times.into_iter().enumerate().map(|(no, at)| planned_call(seed, no, at, [teams, numbers, agents]));
        Self { seed, shifts: (0..agents).map(|no| shift(seed, no)).collect(), calls: calls.collect() }
    }

    /// What an agent does at the `nth` time that a phone rings for this call.
    pub(super) fn reaction(&self, call: usize, nth: u64) -> RingReaction {
        let mut dice = Dice::of(self.seed, "ring", &[call as u64, nth]);
        let after = dice.between(SECOND, 12 * SECOND);
        match dice.below(100) {
            0..4 => RingReaction::Misses,
            4..8 => RingReaction::DeclinesAfter(after),
            _ => RingReaction::AnswersAfter(after),
        }
    }

    /// How long an agent works on after a call, if they are let.
    pub(super) fn wrap_up(&self, call: usize, agent: usize) -> Duration {
        Dice::of(self.seed, "wrap-up", &[call as u64, agent as u64]).about(25 * SECOND) + SECOND
    }

    /// How long an agent is away from the phone who missed a call.
    pub(super) fn absence(&self, call: usize, agent: usize) -> Duration {
        Dice::of(self.seed, "absence", &[call as u64, agent as u64]).between(MINUTE, 6 * MINUTE)
    }
}

/// Each customer calls whenever they like: so they come as in a Poisson process, with the rate of the hour.
fn arrival(dice: &mut Dice) -> Duration {
    let mut rest = dice.fraction() * HOURLY.iter().sum::<f64>();
    let hour = HOURLY.iter().position(|weight| {
        rest -= weight;
        rest < 0.0
    });
    let begins = OPENING + HOURS / HOURLY.len() as u32 * hour.unwrap_or_default() as u32;
    begins + dice.between(Duration::ZERO, Duration::from_hours(1))
}

fn shift(seed: u64, no: usize) -> Shift {
    let mut dice = Dice::of(seed, "shift", &[no as u64]);
    let begins = [5, 5, 70, 150, 250, 250][no % 6] * MINUTE + dice.between(Duration::ZERO, 4 * MINUTE);
    let ends = begins + 385 * MINUTE + dice.between(Duration::ZERO, 20 * MINUTE);
    let mut breaks = Vec::new();
    if dice.percent(15) {
        breaks.push(Break { begins, lasts: dice.between(MINUTE, 6 * MINUTE), reason: "starting up" });
    }
    for (after, longest, reason) in [(90, 15, "coffee"), (190, 45, "lunch"), (310, 15, "coffee")] {
        let begins = begins + after * MINUTE + dice.between(Duration::ZERO, 25 * MINUTE);
        breaks.push(Break { begins, lasts: dice.between(longest * MINUTE / 2, longest * MINUTE), reason });
    }
    if dice.percent(25) {
        let begins = begins + 260 * MINUTE;
        breaks.push(Break { begins, lasts: dice.between(15 * MINUTE, 30 * MINUTE), reason: "training" });
    }
    breaks.sort_by_key(|it| it.begins);
    let errands = (0..ERRANDS).map(|nth| errand(&mut dice, begins, no * ERRANDS + nth)).collect();
    let silent_from = (no % 13 == 4).then(|| begins + dice.between(120 * MINUTE, 300 * MINUTE));
    Shift { begins, ends, breaks, errands, silent_from, is_cut_off: no % 13 == 7 }
}

fn errand(dice: &mut Dice, from: Duration, no: usize) -> Errand {
    let at = from + dice.between(20 * MINUTE, 370 * MINUTE);
    let answers_after = dice.percent(70).then(|| dice.between(2 * SECOND, 20 * SECOND));
    Errand { at, customer: format!("{DIALLED}{no:07}"), answers_after, talk: dice.about(90 * SECOND) + SECOND }
}

fn planned_call(seed: u64, no: usize, at: Duration, [teams, numbers, agents]: [usize; 3]) -> PlannedCall {
    let mut dice = Dice::of(seed, "call", &[no as u64]);
    let number = dice.below(numbers);
    // Some dialled the wrong number, and see it at once.
    let first = if dice.percent(4) { dice.between(SECOND, 5 * SECOND) } else { dice.about(150 * SECOND) + 3 * SECOND };
    let patience = [first, dice.about(120 * SECOND) + 3 * SECOND];
    let message = dice.between(5 * SECOND, 40 * SECOND);
    let script = Script {
        talk: dice.about(230 * SECOND) + 5 * SECOND,
        hold: dice.percent(25).then(|| HoldScript {
            lasts: dice.about(45 * SECOND) + SECOND,
            is_given_up: dice.percent(6),
            talk_after: dice.about(60 * SECOND) + SECOND,
        }),
        transfer: dice.percent(16).then(|| transfer(&mut dice, teams, agents)),
        again: dice.percent(20).then(|| transfer(&mut dice, teams, agents)),
        away_after: dice.percent(3).then(|| dice.between(MINUTE, 8 * MINUTE)),
        last_talk: dice.about(120 * SECOND) + 3 * SECOND,
        ends: match dice.below(10) {
            0..5 => EndsBy::Customer,
            5..8 => EndsBy::AgentsPhone,
            8 => EndsBy::AgentsClient,
            _ => EndsBy::EndForAll,
        },
    };
    PlannedCall { no, customer: format!("+3247{no:07}"), at, number, patience, message, script }
}

fn transfer(dice: &mut Dice, teams: usize, agents: usize) -> TransferScript {
    let to_team = dice.percent(60);
    let target =
        if to_team { PlannedTarget::Team(dice.below(teams)) } else { PlannedTarget::Agent(dice.below(agents)) };
    let together = dice.between(5 * SECOND, 60 * SECOND);
    let alone_again = dice.percent(25).then(|| dice.about(20 * SECOND) + SECOND);
    let comes_to = match dice.below(100) {
        0..30 => ConsultEnd::Completed,
        30..50 => ConsultEnd::LeftByInitiator,
        50..72 => ConsultEnd::Joined { together, alone_again },
        72..88 => ConsultEnd::Cancelled,
        88..94 => ConsultEnd::LeftByRecipient,
        _ => ConsultEnd::GivenUp,
    };
    TransferScript {
        is_warm: dice.percent(55),
        target,
        patience: dice.between(15 * SECOND, 70 * SECOND),
        consult: dice.about(30 * SECOND) + 2 * SECOND,
        comes_to,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_one_day_and_another_seed_another() {
        let plan = |seed| format!("{:?}", DayPlan::make(seed, 100, 3, 3));
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
    }

    #[test]
    fn customers_call_in_order_while_somebody_works() {
        let plan = DayPlan::make(1, 2_000, 3, 3);
        assert!(plan.calls.is_sorted_by_key(|call| call.at));
        let works = |at: Duration| plan.shifts.iter().any(|shift| shift.begins < at && at < shift.ends);
        assert!(plan.calls.iter().all(|call| works(call.at)));
    }
}
