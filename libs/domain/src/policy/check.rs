//! Contradictions in a policy: what each field allows but all together do not. It walks the table of methods; no rule is about one kind.

use super::{
    AfterFailure, CustomerMeanwhile, Ending, Fallback, InteractionRules, Method, OfferRules, OnUnanswered, PhaseRules,
    Policy, ReleaseMoment, WhenBusy,
};
use crate::action::{Action, ActionSet};
use baton_words::TargetSort;
use std::sync::Arc;

/// The longest time that any deadline may be set to: a day.
const MAX_MS: i64 = 24 * 60 * 60 * 1000;
/// The most outcomes, and the most dispositions: more are not found in a list.
const MAX_LISTED: usize = 200;
/// The longest name of one, in characters.
const MAX_NAME: usize = 100;
/// A phone that is not there after so many tries is not there.
const MAX_REDIALS: u8 = 5;

/// A contradiction: the field's path, and what would be right.
#[derive(Debug)]
pub(super) struct Contradiction {
    pub(super) path: String,
    pub(super) why: String,
}

type Checked = Result<(), Contradiction>;

/// The first contradiction is the error.
pub(super) fn check(policy: &Policy) -> Checked {
    house("interaction", &policy.interaction)?;
    policy.methods.iter().try_for_each(|(kind, own)| method(&format!("methods.{kind}"), own, &policy.interaction))
}

fn refuse(path: String, why: impl FnOnce(&str) -> String) -> Checked {
    let why = why(&path);
    Err(Contradiction { path, why })
}

fn times(at: &str, all: &[(&str, i64, i64)]) -> Checked {
    match all.iter().find(|(_, value, min)| value < min || *value > MAX_MS) {
        None => Ok(()),
        Some((key, value, min)) => {
            refuse(format!("{at}.{key}"), |path| format!("`{path}` is {value}; it must be {min} to {MAX_MS} (ms)"))
        }
    }
}

fn redials(at: &str, redials: u8) -> Checked {
    if redials <= MAX_REDIALS {
        return Ok(());
    }
    refuse(format!("{at}.redials"), |path| format!("`{path}` is {redials}; it must be 0 to {MAX_REDIALS}"))
}

fn house(at: &str, rules: &InteractionRules) -> Checked {
    times(
        at,
        &[
            ("max_call_ms", rules.max_call_ms, 1000),
            ("dial_ring_ms", rules.dial_ring_ms, 100),
            ("wrap_up_ms", rules.wrap_up_ms, 0),
            ("again_after_ms", rules.again_after_ms, 0),
            ("hold_max_ms", rules.hold_max_ms, 0),
            ("hold_reminder_ms", rules.hold_reminder_ms, 0),
            ("voicemail_ms", rules.voicemail_ms, 1000),
            ("claim_answer_ms", rules.claim_answer_ms, 100),
            ("ring_silence_ms", rules.ring_silence_ms, 1000),
            ("hand_over_ms", rules.hand_over_ms, 1000),
            ("farewell_ms", rules.farewell_ms, 100),
        ],
    )?;
    redials(at, rules.redials)?;
    if rules.dial_states.is_empty() {
        return refuse(format!("{at}.dial_states"), |path| {
            format!("`{path}` names no state; that nobody calls out is said by having no dial rules")
        });
    }
    if rules.orphan.contains(&Fallback::Voicemail) {
        return refuse(format!("{at}.orphan"), |path| {
            format!("`{path}` can't be \"voicemail\": there is no recipient whose it would be")
        });
    }
    list(format!("{at}.outcomes"), &rules.outcomes)?;
    list(format!("{at}.dispositions"), &rules.dispositions)?;
    if rules.needs_disposition && (rules.dispositions.is_empty() || rules.wrap_up_ms == 0) {
        return refuse(format!("{at}.needs_disposition"), |path| {
            format!("`{path}` needs `{at}.dispositions` to choose from, and `{at}.wrap_up_ms` to choose in")
        });
    }
    chain(format!("{at}.orphan"), &rules.orphan)
}

/// What people choose from: short names, each once, in which nothing is hidden.
fn list(path: String, names: &[Arc<str>]) -> Checked {
    if names.len() > MAX_LISTED {
        return refuse(path, |path| format!("`{path}` has {} names; {MAX_LISTED} are allowed", names.len()));
    }
    let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)).map(|(_, name)| name);
    if let Some(name) = twice {
        return refuse(path, |path| format!("`{path}` has {name:?} twice"));
    }
    let Some(bad) = names.iter().find(|name| !is_name(name)) else { return Ok(()) };
    refuse(path, |path| {
        format!(
            "`{path}` has {bad:?}: a name is 1 to {MAX_NAME} characters, without spaces around it, control characters and \
             invisible ones"
        )
    })
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.chars().count()) && name.trim() == name && !name.chars().any(is_hidden)
}

/// Control characters, those that turn the text around them, and those that nobody sees. Joiners are seen in what they join.
fn is_hidden(it: char) -> bool {
    it.is_control()
        || matches!(it, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn method(at: &str, method: &Method, house: &InteractionRules) -> Checked {
    if method.needs_outcome && house.outcomes.is_empty() {
        return refuse(format!("{at}.needs_outcome"), |path| {
            format!("`{path}` needs `interaction.outcomes` to choose from")
        });
    }
    offer(&format!("{at}.offer"), &method.offer)?;
    release(at, method)?;
    phases(at, method)?;
    patience(at, method)
}

fn offer(at: &str, rules: &OfferRules) -> Checked {
    times(
        at,
        &[
            ("ring_ms", rules.ring_ms, 100),
            ("wait_ms", rules.wait_ms, 100),
            ("again_after_ms", rules.again_after_ms, 0),
        ],
    )?;
    redials(at, rules.redials)?;
    if rules.targets.is_empty() {
        return refuse(format!("{at}.targets"), |path| {
            format!("`{path}` names nobody; leave the kind's section as the profile has it instead")
        });
    }
    if rules.choosable.is_empty() {
        return refuse(format!("{at}.choosable"), |path| {
            format!("`{path}` names no state: nobody could ever be chosen")
        });
    }
    if !rules.recommended.iter().all(|state| rules.choosable.contains(state)) {
        return refuse(format!("{at}.recommended"), |path| {
            format!("`{path}` names a state that is not in `{at}.choosable`: nobody could choose whom it recommends")
        });
    }
    chain(format!("{at}.fallback"), &rules.fallback)
}

fn chain(path: String, chain: &[Fallback]) -> Checked {
    let ends_well = chain.last() == Some(&Fallback::Disconnect);
    let once = chain.iter().enumerate().all(|(at, step)| !chain[..at].contains(step));
    if ends_well && once {
        return Ok(());
    }
    refuse(path, |path| format!("`{path}` must end with \"disconnect\", and name each step at most once"))
}

/// When the initiator is released decides where the customer can be meanwhile, and what the words for a failure can mean.
fn release(at: &str, method: &Method) -> Checked {
    let leaves_early = matches!(method.released, ReleaseMoment::Enqueued | ReleaseMoment::Reserved);
    let alone = method.customer == CustomerMeanwhile::Lobby;
    if leaves_early != alone {
        return refuse(format!("{at}.customer"), |path| {
            format!(
                "`{path}` must be \"lobby\" exactly where the initiator is released at \"enqueued\" or \"reserved\""
            )
        });
    }
    let comes_back = method.released == ReleaseMoment::Never;
    if comes_back && method.offer.targets.iter().any(|sort| *sort != TargetSort::IvrFlow) {
        return refuse(format!("{at}.released"), |path| {
            format!(
                "`{path}` can be \"never\" only where `{at}.offer.targets` are IVR flows alone: nobody else gives the customer back"
            )
        });
    }
    let keeps = !leaves_early && !comes_back;
    if keeps && method.offer.targets.contains(&TargetSort::IvrFlow) {
        return refuse(format!("{at}.offer.targets"), |path| {
            format!(
                "`{path}` can have \"ivr_flow\" only where `{at}.released` is \"enqueued\", \"reserved\" or \"never\": a flow answers nobody"
            )
        });
    }
    if (method.released == ReleaseMoment::Committed) != method.consult.is_some() {
        return refuse(format!("{at}.released"), |path| {
            format!("`{path}` must be \"committed\" exactly where there is a consult")
        });
    }
    if leaves_early && method.after_failure != AfterFailure::AsIs {
        return refuse(format!("{at}.after_failure"), |path| {
            format!("`{path}` must be \"as_is\": the initiator is released before anything can fail")
        });
    }
    if !leaves_early && method.on_unanswered == OnUnanswered::Fallback {
        return refuse(format!("{at}.on_unanswered"), |path| {
            format!("`{path}` must be \"fail\": the initiator is still there, and would lose the customer")
        });
    }
    Ok(())
}

/// What each phase's end can mean; and C5: in every phase somebody who is there may take the customer off hold or end the transfer, as the
/// deadline alone would be a long wait.
fn phases(at: &str, method: &Method) -> Checked {
    use Ending::{Cancel, Complete, Continue};
    let offered = &method.offered;
    // While it rings there is no recipient: neither can they do anything, nor can the customer be given to them.
    let sets = [offered.initiator_may];
    phase(&format!("{at}.offered"), offered, &[Cancel], &[Continue, Cancel])?;
    way_out(&format!("{at}.offered"), &sets, &[Action::Resume, Action::Cancel])?;
    away(at, method)?;
    let Some(consult) = &method.consult else { return Ok(()) };
    let all = [
        ("consulting", &consult.consulting, &[Action::Resume, Action::Cancel, Action::Complete][..]),
        ("joined", &consult.joined, &[Action::Cancel, Action::Complete]),
    ];
    all.into_iter().try_for_each(|(key, rules, ways_out)| {
        let at = format!("{at}.consult.{key}");
        phase(&at, rules, &[Cancel, Complete], &[Complete, Cancel])?;
        // A recipient outside can do nothing in Baton.
        let outside = method.offer.targets.contains(&TargetSort::External);
        let recipient_may = if outside { ActionSet::default() } else { rules.recipient_may };
        way_out(&at, &[rules.initiator_may, recipient_may], ways_out)
    })
}

/// An initiator who waits may take the customer back; of one who is released nobody is asked.
fn away(at: &str, method: &Method) -> Checked {
    use Ending::{Cancel, Continue};
    let flows = method.offer.targets.contains(&TargetSort::IvrFlow);
    let at = format!("{at}.away");
    match &method.away {
        None if flows => refuse(at, |path| format!("`{path}` is needed, as the kind goes to IVR flows")),
        Some(_) if !flows => refuse(at, |path| format!("`{path}` is of no use: the kind does not go to IVR flows")),
        Some(rules) => {
            phase(&at, rules, &[Cancel], &[Continue, Cancel])?;
            let waits = method.released == ReleaseMoment::Never;
            if waits { way_out(&at, &[rules.initiator_may], &[Action::Cancel]) } else { Ok(()) }
        }
        None => Ok(()),
    }
}

fn phase(at: &str, rules: &PhaseRules, timeouts: &[Ending], leaves: &[Ending]) -> Checked {
    times(at, &[("max_ms", rules.max_ms, 100)])?;
    for (key, ending, possible) in
        [("on_timeout", rules.on_timeout, timeouts), ("initiator_leaves", rules.initiator_leaves, leaves)]
    {
        if !possible.contains(&ending) {
            let words: Vec<_> = possible.iter().map(|ending| format!("{ending:?}").to_lowercase()).collect();
            return refuse(format!("{at}.{key}"), |path| {
                format!("`{path}` can be {} in this phase", words.join(" or "))
            });
        }
    }
    Ok(())
}

fn way_out(at: &str, may: &[ActionSet], ways_out: &[Action]) -> Checked {
    if ways_out.iter().any(|way| may.iter().any(|set| set.contains(*way))) {
        return Ok(());
    }
    refuse(format!("{at}.initiator_may"), |_| {
        "in this phase nobody may end the transfer or resume: the customer could be stuck".into()
    })
}

/// T9: a phone that rings out must have rung out before its phase does, or nobody is told why; also when it was waited for (B504).
fn patience(at: &str, method: &Method) -> Checked {
    let (max_ms, ring_ms, wait_ms) = (method.offered.max_ms, method.offer.ring_ms, method.offer.wait_ms);
    let waits = method.offer.when_busy == WhenBusy::Wait;
    if waits && max_ms > ring_ms && max_ms <= wait_ms + ring_ms {
        return refuse(format!("{at}.offered.max_ms"), |path| {
            format!(
                "`{path}` is {max_ms}; it must be longer than `{at}.offer.wait_ms` and `{at}.offer.ring_ms` together \
                 ({}), as an agent in another call is waited for",
                wait_ms + ring_ms
            )
        });
    }
    if max_ms > ring_ms {
        return Ok(());
    }
    refuse(format!("{at}.offered.max_ms"), |path| {
        format!("`{path}` is {max_ms}; it must be longer than `{at}.offer.ring_ms` ({ring_ms})")
    })
}
