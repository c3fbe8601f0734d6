//! What can be proved is proved, and what is wrong is found.

use baton_domain::{
    Policy,
    policy::{self, PROFILES},
};
use baton_proof::{Bound, Completeness, INVARIANTS, Report, prove};
use std::{num::NonZeroUsize, path::Path, thread::yield_now};

fn entitled(mut policy: Policy) -> Policy {
    policy.entitlements = policy.known_entitlements().map(str::to_owned).collect();
    policy
}

fn proved(policy: Policy, bound: &Bound) -> Report {
    prove(&entitled(policy), bound, |_| yield_now())
}

#[test]
fn every_profile_is_proved() {
    for profile in PROFILES {
        let policy = policy::parse(profile.name, "", vec![]).expect("a built-in profile is valid");
        let report = proved(policy, &Bound::QUICK);
        assert!(report.is_proved(), "{report}");
    }
}

#[test]
fn a_policy_by_which_the_initiator_may_swap_is_proved() {
    let overrides =
        "[methods.warm.consult.consulting]\ninitiator_may = [\"resume\", \"complete\", \"cancel\", \"swap\"]\n";
    for profile in PROFILES {
        let report = proved(policy::parse(profile.name, overrides, vec![]).expect("valid"), &Bound::QUICK);
        assert!(report.is_proved(), "{report}");
    }
}

/// A deadline that was put off by something else is looked at as soon as that is over.
#[test]
fn odd_policies_that_lose_nobody_are_proved() {
    let consult_first = "[interaction]\nhold_reminder_ms = 0\nhold_max_ms = 20_000\n[methods.warm.consult.consulting]\n\
                         on_timeout = \"complete\"\nmax_ms = 3_000\n";
    let long_wait = "[methods.warm.offer]\nwait_ms = 3_000_000\nagain_after_ms = 300_000\n[methods.warm.offered]\nmax_ms = 3_600_000\n";
    for overrides in [consult_first, "[methods.warm.consult.consulting]\non_timeout = \"complete\"\n", long_wait] {
        let report = proved(policy::parse("helpdesk", overrides, vec![]).expect("valid"), &Bound::QUICK);
        assert!(report.is_proved(), "{overrides}\n{report}");
    }
}

/// A queue that overflows, for warm transfers that go nowhere else; where it counts from when it was entered, each profile has one.
#[test]
fn a_queue_that_overflows_is_proved() {
    let overrides = "[methods.warm.offer]\ntargets = [\"queue\"]\n";
    let report = proved(policy::parse("engagement", overrides, vec![]).expect("valid"), &Bound::QUICK);
    assert!(report.is_proved(), "{report}");
}

#[test]
fn a_policy_with_a_transfer_that_releases_on_answer_is_proved() {
    let text = include_str!("../../domain/tests/domain/on_answer.toml");
    let report = proved(policy::parse_file("on_answer.toml", text, vec![]).expect("valid"), &Bound::QUICK);
    assert!(report.is_proved(), "{report}");
}

/// A bad policy: overrides of a profile, with two comments that say of which, and what is wrong: an invariant's id, a kind that is never
/// completed, or the beginning of the refusal.
struct BadPolicy {
    name: String,
    profile: String,
    caught: String,
    overrides: String,
}

fn bad_policies() -> Vec<BadPolicy> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let mut files: Vec<_> = folder.read_dir().expect("the folder").map(|it| it.expect("an entry").path()).collect();
    files.sort();
    let read = |file: &std::path::PathBuf| {
        let overrides = std::fs::read_to_string(file).expect("readable");
        let says = |key: &str| {
            let line = overrides.lines().find_map(|line| line.strip_prefix(&format!("# {key}: ")));
            line.unwrap_or_else(|| panic!("{} says no {key}", file.display())).to_owned()
        };
        let (profile, caught) = (says("profile"), says("caught"));
        BadPolicy { name: file.file_stem().unwrap_or_default().to_string_lossy().into(), profile, caught, overrides }
    };
    files.iter().map(read).collect()
}

#[test]
fn every_bad_policy_is_caught() {
    let all = bad_policies();
    assert!(all.len() >= 12, "there are {}", all.len());
    for bad in all {
        let found = match policy::parse(&bad.profile, &bad.overrides, vec![]) {
            Err(refused) => vec![refused.to_string()],
            Ok(policy) => {
                let report = proved(policy, &Bound::QUICK);
                assert_eq!(report.completeness, Completeness::Complete, "{}", bad.name);
                let never = report.unreached.iter().map(|it| format!("never {}", it.kind));
                report.broken.iter().map(|it| it.invariant.id.to_owned()).chain(never).collect()
            }
        };
        let expected: Vec<_> = bad.caught.split(", ").collect();
        let is_found = |expected: &&str| found.iter().any(|found| found.starts_with(*expected));
        assert!(expected.iter().all(is_found), "{}: expected {expected:?}, found {found:?}", bad.name);
    }
}

#[test]
fn the_way_there_is_the_shortest_and_reads_as_a_story() {
    let overrides = "[methods.warm.consult.joined]\ninitiator_leaves = \"cancel\"\n";
    let policy = policy::parse("lead_center", overrides, vec![]).expect("valid");
    let report = proved(policy, &Bound { threads: 2, ..Bound::QUICK });
    let [broken] = report.broken.as_slice() else { panic!("{report}") };
    let told: Vec<_> = broken.story.iter().map(|step| step.happening.as_str()).collect();
    assert_eq!(
        told,
        [
            "a customer calls",
            "agent 1 is reserved, and their phone is to ring",
            "agent 1 answers",
            "agent 1 starts a warm transfer to agent 2",
            "agent 2 is reserved, and their phone is to ring",
            "agent 1 takes the customer off hold",
            "agent 2 answers",
            "agent 1 leaves",
        ]
    );
    assert_eq!(broken.story.last().expect("a step").then, "customer in voicemail");
}

#[test]
fn what_was_not_looked_at_is_not_proved() {
    let policy = policy::parse("helpdesk", "", vec![]).expect("valid");
    let report = proved(policy, &Bound { most_steps: NonZeroUsize::new(2_000), ..Bound::QUICK });
    assert_eq!((report.completeness, report.is_proved()), (Completeness::Stopped, false));
    assert!(report.to_string().ends_with("nothing is proved"), "{report}");
}

#[test]
fn the_document_has_every_rule_in_its_order() {
    let document = include_str!("../../../docs/proof.md");
    let is_rule = |line: &&str| {
        let id = line.strip_prefix("| ").and_then(|rest| rest.split_once(" |")).map(|(id, _)| id);
        id.is_some_and(|id| id.starts_with(char::is_uppercase) && id.ends_with(|last: char| last.is_ascii_digit()))
    };
    let written: Vec<_> = document.lines().filter(is_rule).map(str::to_owned).collect();
    let rules: Vec<_> = INVARIANTS.iter().map(|rule| format!("| {} | {} |", rule.id, rule.says)).collect();
    assert_eq!(written, rules);
}
