//! A random walk: agents and customers do whatever they like, allowed or not, for many interactions in simulated time, over the cores of Baton:
//! the interaction, telephony's reconciler, and what presence and routing decide. Between them is a network that delays, repeats, drops and
//! reorders. The same seed gives the same walk. It ends with an error, and how it came about, if anything is not as it must always be.

mod agenda;
mod people;
mod switch;
mod telephony;
mod walk;

use clap::Parser;
use std::{
    num::NonZeroU64,
    process::ExitCode,
    time::{Duration, Instant},
};
use walk::{Walk, Walked, Wrong};

/// Walks at random through everything that can happen, and looks whether all is as it must always be.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// How many interactions there are.
    #[arg(long, default_value = "10000")]
    interactions: NonZeroU64,
    /// What is random follows from it: the same one gives the same walk.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Walk twice, and fail unless both are the same.
    #[arg(long)]
    twice: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let begun = started();
    let walked = match walk(&arguments)? {
        Ok(walked) => walked,
        Err(wrong) => return Ok(fail(&arguments, &wrong)),
    };
    print(&arguments, &walked, begun.elapsed());
    if arguments.twice {
        match walk(&arguments)? {
            Ok(again) if again == walked => println!("walked once more: the same, step by step"),
            _ => {
                eprintln!("The second walk of seed {} was another than the first.", arguments.seed);
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn walk(arguments: &Arguments) -> anyhow::Result<Result<Walked, Wrong>> {
    let all = arguments.interactions.get();
    let (mut said, every) = (started(), Duration::from_secs(10));
    Ok(Walk::new(arguments.seed, all)?.walk(|so_far| {
        if said.elapsed() > every {
            said = started();
            eprintln!("{so_far} of {all} interactions");
        }
    }))
}

/// The walk has a time of its own; how long it takes is of ours.
#[expect(clippy::disallowed_methods, reason = "the clock on the wall")]
fn started() -> Instant {
    Instant::now()
}

fn print(arguments: &Arguments, walked: &Walked, took: Duration) {
    let Walked { interactions, ended, inputs, refused, sent, dropped, seconds, digest } = walked;
    let (transfers, seed) = (ended.values().sum::<u64>(), arguments.seed);
    let ended: Vec<_> = ended.iter().map(|(phase, count)| format!("{count} {phase}")).collect();
    println!("seed {seed}: {interactions} interactions with {transfers} transfers in {seconds} s of their time");
    println!("transfers: {}", ended.join(", "));
    println!("{inputs} inputs, of which {refused} refused; {sent} messages, of which {dropped} lost");
    println!("nothing is wrong, and nothing is left; digest {digest:016x}, {:.1} s", took.as_secs_f64());
}

fn fail(arguments: &Arguments, wrong: &Wrong) -> ExitCode {
    for line in &wrong.story {
        eprintln!("{line}");
    }
    let of = wrong.interaction.map(|id| format!(" in interaction {id}")).unwrap_or_default();
    eprintln!("\n{}{of}\n(seed {}, {} interactions)", wrong.says, arguments.seed, arguments.interactions);
    ExitCode::FAILURE
}
