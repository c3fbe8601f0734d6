//! Which fields decide the course of a transfer. Beside [`Transfer::course`], which reads them: a test changes the named field, and sees another
//! course; and changes every other one, and sees the same.

use super::{Transfer, TransferState, transfer::TransferInput};
use crate::{
    cause::{ConsultField, HouseField, MethodField, RuleField},
    machine::Situation,
    policy::Method,
};

impl Transfer {
    /// The field that decided what the input means now; none where the input alone does.
    pub(crate) fn decided_by(&self, input: TransferInput, method: &Method, now: Situation) -> Option<RuleField> {
        use TransferInput as In;
        use TransferState as At;
        match (&self.state, input) {
            (At::Seeking(_), In::Enqueued) => Some(self.field(MethodField::Released)),
            (At::Seeking(_), In::SearchOver(_)) => now.initiator_present.then(|| self.field(MethodField::OnUnanswered)),
            (At::Seeking(_), In::RecipientAnswered(_)) => {
                let asks = method.consult.is_some() && now.initiator_present && !now.held;
                asks.then_some(RuleField::Consult(self.kind, ConsultField::AnsweredWhileResumed))
            }
            (At::HandingOver { .. }, _) => None,
            (_, In::InitiatorLeft) => Some(self.phase_field(
                method,
                ConsultField::ConsultingInitiatorLeaves,
                ConsultField::JoinedInitiatorLeaves,
                MethodField::OfferedInitiatorLeaves,
            )),
            (At::Seeking(_), _) => None,
            _ if method.consult.is_none() => None,
            (_, In::InitiatorMuted) => Some(RuleField::Consult(self.kind, ConsultField::MuteHandsOver)),
            (_, In::PhaseOver) => Some(self.phase_field(
                method,
                ConsultField::ConsultingOnTimeout,
                ConsultField::JoinedOnTimeout,
                MethodField::OfferedMax,
            )),
            _ => None,
        }
    }

    /// The field that says how long its state may last.
    pub(crate) fn limited_by(&self, method: &Method) -> RuleField {
        match self.state {
            TransferState::HandingOver { .. } => RuleField::House(HouseField::HandOver),
            _ => {
                self.phase_field(method, ConsultField::ConsultingMax, ConsultField::JoinedMax, MethodField::OfferedMax)
            }
        }
    }

    pub(crate) fn field(&self, field: MethodField) -> RuleField {
        RuleField::Method(self.kind, field)
    }

    /// The field of the phase that it is in, by [`Transfer::rules`].
    fn phase_field(
        &self,
        method: &Method,
        consulting: ConsultField,
        joined: ConsultField,
        offered: MethodField,
    ) -> RuleField {
        match self.state {
            _ if method.consult.is_none() => self.field(offered),
            TransferState::Consulting { .. } | TransferState::Swapped { .. } => {
                RuleField::Consult(self.kind, consulting)
            }
            TransferState::Joined { .. } => RuleField::Consult(self.kind, joined),
            TransferState::Seeking(_) | TransferState::HandingOver { .. } => self.field(offered),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        actor::{AgentRef, Target},
        interaction::{Counters, PartyNo},
        machine::{Course, Flow, Numbers, Search},
        policy::{PROFILES, Policy, restore},
    };
    use baton_words::{AgentId, Reason, TransferKind, TransferNo};
    use std::mem::discriminant;

    const RECIPIENT: PartyNo = PartyNo(3);
    /// What a field of words or a switch may be set to.
    const VALUES: [&str; 16] = [
        "true",
        "false",
        "'complete'",
        "'continue'",
        "'cancel'",
        "'enqueued'",
        "'reserved'",
        "'answered'",
        "'committed'",
        "'fail'",
        "'fallback'",
        "'join'",
        "'hold'",
        "'held'",
        "'resumed'",
        "'stays'",
    ];

    fn transfers(kind: TransferKind, policy: &Policy) -> Vec<Transfer> {
        let agent = |n| AgentRef {
            id: AgentId(uuid::Uuid::from_u128(n)),
            name: "Ada".into(),
            phone: "ada".into(),
            voicemail: true,
        };
        let rules = policy.method(kind).expect("a kind of this policy").search_rules(&policy.interaction);
        let target = Target::Agent(agent(2));
        let mut numbers = Numbers { counters: &mut Counters::default(), now_us: 0, in_call: &[] };
        let search = Search::begin(target.clone(), rules, None, &mut numbers);
        let states = [
            TransferState::Seeking(Box::new(search)),
            TransferState::Consulting { recipient: RECIPIENT },
            TransferState::Joined { recipient: RECIPIENT },
            TransferState::Swapped { recipient: RECIPIENT },
            TransferState::HandingOver { recipient: RECIPIENT },
        ];
        let with = |state| Transfer {
            no: TransferNo(1),
            kind,
            target: target.clone(),
            initiator: agent(1),
            message: "".into(),
            state,
            resumed: false,
            started_at_us: 0,
            since_us: 0,
        };
        states.into_iter().map(with).collect()
    }

    fn inputs() -> [TransferInput; 13] {
        use TransferInput as In;
        [
            In::Enqueued,
            In::Reserved,
            In::RecipientAnswered(RECIPIENT),
            In::SearchOver(Reason::NoAnswer),
            In::InitiatorLeft,
            In::RecipientLeft(Reason::HungUp),
            In::CustomerHeld,
            In::CustomerResumed,
            In::InitiatorMuted,
            In::Swap,
            In::Cancel(Reason::Requested),
            In::Complete,
            In::PhaseOver,
        ]
    }

    /// Every field of a method that says what happens, and not how long something may take.
    fn deciding(kind: TransferKind, method: &Method) -> Vec<RuleField> {
        let own = MethodField::ALL.iter().map(|field| RuleField::Method(kind, *field));
        let consult = ConsultField::ALL.iter().map(|field| RuleField::Consult(kind, *field));
        let consult = consult.filter(|_| method.consult.is_some());
        own.chain(consult).filter(|rule| !rule.path().ends_with("_ms")).collect()
    }

    /// What the course becomes when this field is set to anything else.
    fn courses_by(rule: RuleField, profile: &str, decide: impl Fn(&Method) -> Course) -> Vec<Course> {
        let (RuleField::Method(kind, _) | RuleField::Consult(kind, _)) = rule else { return Vec::new() };
        let policies =
            VALUES.iter().filter_map(|value| restore(profile, &format!("{} = {value}\n", rule.path()), vec![]).ok());
        policies.map(|policy| decide(policy.method(kind).expect("a kind of this profile"))).collect()
    }

    /// Plays every input in every state, and says what is decided by which field.
    fn each_decision(mut look: impl FnMut(&str, Option<RuleField>, RuleField, &[Course], Course)) {
        for profile in PROFILES {
            let policy = restore(profile.name, "", vec![]).expect("valid");
            for (kind, method) in &policy.methods {
                for transfer in transfers(*kind, &policy) {
                    for input in inputs() {
                        for (initiator_present, held) in [(true, true), (true, false), (false, false)] {
                            let now = Situation { initiator_present, held };
                            let named = transfer.decided_by(input, method, now);
                            let course = transfer.course(input, method, now);
                            for rule in deciding(*kind, method) {
                                let others =
                                    courses_by(rule, profile.name, |method| transfer.course(input, method, now));
                                let case =
                                    format!("{} {input:?} in {:?} of {}", rule.path(), transfer.phase(), profile.name);
                                look(&case, named, rule, &others, course);
                            }
                            if let Some(rule) = named {
                                assert!(rule.value(&policy, &Flow::default()).is_some(), "{rule:?}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_named_field_decides_and_no_other_does() {
        let mut decisions = 0;
        each_decision(|case, named, rule, others, course| {
            let decides = others.iter().any(|other| discriminant(other) != discriminant(&course));
            assert_eq!(decides, named == Some(rule), "{case}: {course:?} or {others:?}, {named:?} is named");
            decisions += usize::from(decides);
        });
        assert!(decisions > 40, "{decisions}");
    }
}
