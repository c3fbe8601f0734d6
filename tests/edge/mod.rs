//! What one peer, or one tenant, can take away from the others: nothing. Hostile peers speak HTTP/2 by themselves ([`peer`]) or hold
//! ordinary calls ([`attacks`]), while a bystander works ([`bystander`]).

mod attackers;
mod attacks;
mod bystander;
mod peer;

use std::path::PathBuf;
use std::time::Duration;

use baton_runtime::auth::Role;
use baton_runtime::process;
use baton_testkit::distributed::readyz;
use baton_testkit::{BOUND, Embedded, TestTenant, eventually};

use crate::harness::{Scenario, alone, on_its_own};
use attackers::Attackers;
use attacks::Attack;
use bystander::Bystander;

/// What a small container has.
const MEMORY: u64 = 512 * 1024 * 1024;

pub(crate) fn scenarios() -> Vec<Scenario> {
    alone![fair_to_its_neighbours, r10_calls_that_run_into_their_deadline_end_no_stream_beside_them]
}

/// While each attack goes on, no call of a bystander is refused or takes a second, health answers, and the process stays within its memory.
async fn fair_to_its_neighbours(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[("BATON_SWITCH__SOUND", "false")], async |target: &mut Embedded| {
        // Those of the attackers are here.
        process::raise_file_limit();
        let bystander = Bystander::begin(TestTenant::create(target.endpoints()).await?).await?;
        let hostile = TestTenant::create(target.endpoints()).await?;
        let health = target.health()?;
        let quiet = bystander.work_for(Duration::from_secs(3)).await?;
        println!("{:<44}{:>8}{:>10}{:>10}", "attack", "calls", "p99 ms", "max ms");
        println!("{:<44}{quiet}", "none");
        let attackers = Attackers::new()?;
        for attack in Attack::ALL {
            let held = attackers.begin(attack, &hostile, target.endpoints()).await?;
            let seen = bystander.work_for(Duration::from_secs(3)).await?;
            println!("{:<44}{seen}  {} MiB", attack.name(), target.peak_memory()? / 1024 / 1024);
            seen.check(attack.name())?;
            is_ready(&health).await?;
            drop(held);
        }
        let peak = target.peak_memory()?;
        anyhow::ensure!(peak < MEMORY, "it took {} MiB", peak / 1024 / 1024);
        let lines = target.log().lines().count();
        anyhow::ensure!(lines < 300, "strangers wrote {lines} lines into the log");
        Ok(())
    })
    .await
}

async fn is_ready(health: &str) -> anyhow::Result<()> {
    let answer = readyz(health).await?;
    anyhow::ensure!(answer.starts_with("HTTP/1.1 200"), "health says {answer}");
    Ok(())
}

/// Thirty at once, ten times, on the connection of a session.
async fn r10_calls_that_run_into_their_deadline_end_no_stream_beside_them(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let tenant = TestTenant::create(target.endpoints()).await?;
        let ada = tenant.agent("Ada").await?;
        let session = ada.connect().await?;
        let impatient = tenant.channel("boss", Role::Supervisor)?.with_default_deadline(Duration::from_micros(300));
        for _ in 0..10 {
            let calls = (0..30).map(|_| bystander::list(impatient.clone()));
            futures::future::join_all(calls).await;
        }
        // A busy machine may say that it can't now.
        let patient = tenant.channel("boss", Role::Supervisor)?;
        eventually("a list is answered", BOUND, async || {
            bystander::list(patient.clone()).await.map_err(|error| error.to_string())
        })
        .await?;
        anyhow::ensure!(!session.latest().ended, "the session's stream has ended");
        Ok(())
    })
    .await
}
