//! Which fields decide the course of a transfer. Beside [`Transfer::course`], which reads them: a test changes the named field, and sees another
//! course; and changes every other one, and sees the same.

use super::{Transfer, TransferState, transfer::TransferInput};
use crate::{
    cause::{AwayField, ConsultField, HouseField, MethodField, RuleField},
    machine::Situation,
    policy::Method,
};

impl Transfer {
    /// The field that decided what the input means now; none where the input alone does.
    pub(crate) fn decided_by(&self, input: TransferInput, method: &Method, now: Situation) -> Option<RuleField> {
        use TransferInput as In;
        use TransferState as At;
        match (&self.state, input) {
            (At::Seeking(search), In::Enqueued) if search.target.queue().is_some() => {
                Some(self.field(MethodField::QueueSuccess))
            }
            (At::Seeking(_), In::Enqueued) | (At::Away, In::InFlow) => Some(self.field(MethodField::Released)),
            (At::Seeking(_), In::SearchOver(_)) => now.initiator_present.then(|| self.field(MethodField::OnUnanswered)),
            (At::Seeking(_), In::RecipientAnswered(_)) => {
                let asks = method.consult.is_some() && now.initiator_present && !now.held;
                asks.then_some(RuleField::Consult(self.kind, ConsultField::AnsweredWhileResumed))
            }
            (At::Away, In::InitiatorLeft) if method.away.is_some() => Some(self.away_field(AwayField::InitiatorLeaves)),
            (At::Away, In::InitiatorLeft) => Some(self.field(MethodField::OfferedInitiatorLeaves)),
            (At::HandingOver { .. } | At::Away, _) => None,
            (_, In::InitiatorLeft) => Some(self.phase_field(
                method,
                ConsultField::ConsultingInitiatorLeaves,
                ConsultField::JoinedInitiatorLeaves,
                MethodField::OfferedInitiatorLeaves,
            )),
            (At::Seeking(_), _) => None,
            (_, In::InitiatorMuted) if method.consult.is_none() => None,
            (_, In::InitiatorMuted) => Some(RuleField::Consult(self.kind, ConsultField::MuteHandsOver)),
            (_, In::PhaseOver) => Some(self.phase_field(
                method,
                ConsultField::ConsultingOnTimeout,
                ConsultField::JoinedOnTimeout,
                MethodField::OfferedOnTimeout,
            )),
            _ => None,
        }
    }

    /// The field that says how long its state may last.
    pub(crate) fn limited_by(&self, method: &Method) -> RuleField {
        match self.state {
            TransferState::HandingOver { .. } => RuleField::House(HouseField::HandOver),
            TransferState::Away if method.away.is_some() => self.away_field(AwayField::Max),
            _ => {
                self.phase_field(method, ConsultField::ConsultingMax, ConsultField::JoinedMax, MethodField::OfferedMax)
            }
        }
    }

    pub(crate) fn field(&self, field: MethodField) -> RuleField {
        RuleField::Method(self.kind, field)
    }

    fn away_field(&self, field: AwayField) -> RuleField {
        RuleField::Away(self.kind, field)
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
            TransferState::Consulting { .. } | TransferState::Accepted { .. } | TransferState::Swapped { .. } => {
                RuleField::Consult(self.kind, consulting)
            }
            TransferState::Joined { .. } => RuleField::Consult(self.kind, joined),
            TransferState::Seeking(_) | TransferState::HandingOver { .. } | TransferState::Away => self.field(offered),
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
        queue::{Instead, Queue},
    };
    use baton_words::{AgentId, QueueId, Reason, TransferKind, TransferNo};
    use std::mem::discriminant;

    const RECIPIENT: PartyNo = PartyNo(3);
    /// What a word or a switch may be set to.
    const VALUES: [&str; 26] = [
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
        "'as_is'",
        "'resumed'",
        "'stays'",
        "'lobby'",
        "'keep'",
        "'release'",
        "'wait'",
        "'leave'",
        "'refuse'",
        "'ringback'",
        "'music'",
        "'never'",
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
        let queue = Target::Queue(Box::new(Queue {
            id: QueueId(uuid::Uuid::from_u128(9)),
            name: "Billing".into(),
            priority: 5,
            ring_ms: 20_000,
            wait_ms: 60_000,
            when_unattended: Instead::Wait,
            when_declined: Instead::GiveUp,
            overflow: None,
        }));
        let mut numbers = Numbers { counters: &mut Counters::default(), now_us: 0, in_call: &[] };
        let mut search = |target| Box::new(Search::begin(target, rules.clone(), None, &mut numbers));
        let states = [
            TransferState::Seeking(search(target.clone())),
            TransferState::Seeking(search(queue)),
            TransferState::Consulting { recipient: RECIPIENT },
            TransferState::Joined { recipient: RECIPIENT },
            TransferState::Accepted { recipient: RECIPIENT },
            TransferState::Swapped { recipient: RECIPIENT },
            TransferState::HandingOver { recipient: RECIPIENT },
            TransferState::Away,
        ];
        let with = |state| Transfer {
            no: TransferNo(1),
            kind,
            target: target.clone(),
            initiator: agent(1),
            message: "".into(),
            outcome: "".into(),
            state,
            resumed: false,
            started_at_us: 0,
            since_us: 0,
        };
        states.into_iter().map(with).collect()
    }

    fn inputs() -> [TransferInput; 17] {
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
            In::SentAway,
            In::InFlow,
            In::FlowOver(true),
            In::FlowOver(false),
        ]
    }

    /// The path of every field below a table that is a word or a switch: it says what happens, and not how long something may take.
    fn deciding(at: &str, table: &toml::Table) -> Vec<String> {
        let fields = table.iter().flat_map(|(name, value)| match (format!("{at}.{name}"), value) {
            (path, toml::Value::Table(below)) => deciding(&path, below),
            (path, toml::Value::String(_) | toml::Value::Boolean(_)) => vec![path],
            _ => Vec::new(),
        });
        fields.collect()
    }

    /// This policy with this field set to anything else.
    fn others(path: &str, profile: &str) -> Vec<Policy> {
        VALUES.iter().filter_map(|value| restore(profile, &format!("{path} = {value}\n"), vec![]).ok()).collect()
    }

    /// Plays every input in every state, under this policy, and says which field is named.
    fn each_decision(policy: &Policy, kind: TransferKind, mut look: impl FnMut(&str, Option<RuleField>, Decide<'_>)) {
        let method = policy.method(kind).expect("a kind of this policy");
        for transfer in transfers(kind, policy) {
            for input in inputs() {
                for (initiator_present, held) in [(true, true), (true, false), (false, false)] {
                    let now = Situation { initiator_present, held };
                    let named = transfer.decided_by(input, method, now);
                    assert!(named.is_none_or(|field| field.value(policy, &Flow::default()).is_some()), "{named:?}");
                    let case = format!("{input:?} in {:?} with {now:?}", transfer.phase());
                    look(&case, named, &|method| transfer.course(input, method, now));
                }
            }
        }
    }

    type Decide<'a> = &'a dyn Fn(&Method) -> Course;

    #[test]
    fn the_named_field_decides_and_no_other_does() {
        let mut decisions = 0;
        for profile in PROFILES {
            let policy = restore(profile.name, "", vec![]).expect("valid");
            for (kind, method) in &policy.methods {
                let table = toml::Table::try_from(method).expect("a method is a table");
                let fields = deciding(&format!("methods.{kind}"), &table);
                let others: Vec<_> = fields.iter().map(|path| (path, others(path, profile.name))).collect();
                each_decision(&policy, *kind, |case, named, decide| {
                    let course = decide(method);
                    for (path, policies) in &others {
                        let others = policies.iter().map(|policy| decide(&policy.methods[kind]));
                        let decides = others.into_iter().any(|other| discriminant(&other) != discriminant(&course));
                        let is_named = named.is_some_and(|field| field.path() == **path);
                        assert_eq!(decides, is_named, "{path} in {}: {case}: {named:?}", profile.name);
                        decisions += usize::from(decides);
                    }
                });
            }
        }
        assert!(decisions > 40, "{decisions}");
    }
}
