//! `baton switch`: the simulated telephone switch, a process of its own as a real one is.
//!
//! `baton up` starts it. A `baton up` that replaces a killed one finds it again by its *card*: a file in the switch's folder
//! with its address and process id, written when the switch serves and removed when it ends in order.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use baton_runtime::auth::SigningKey;
use baton_runtime::clock::micros;
use baton_runtime::config::Config;
use baton_runtime::lifecycle::{self, Lifecycle};
use baton_runtime::{Clock, process, telemetry};
use baton_switch::{Switch, SwitchSettings};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::folder;
use crate::up::stdin;

const CARD: &str = "switch.json";

#[derive(Debug, Args)]
pub(crate) struct SwitchArgs {
    /// The switch's folder: recordings, what phones heard, the ledger [default: switch in the data folder].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where it listens; port 0 takes a free one [default: switch.listen of the configuration].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// The key file that tokens are verified with; made if it is not there [default: that of the data folder].
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What is logged, for example info or debug [default: warn].
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
    /// End when standard input is closed: for programs that start the switch and are not to be outlived by it.
    #[arg(long)]
    exit_with_stdin: bool,
}

/// Where a running switch is; written by the switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SwitchCard {
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    pub(crate) boot_id: String,
}

impl SwitchCard {
    /// `None` if there is no card, or no complete one.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(CARD)).ok()?).ok()
    }

    /// Atomic: the file is replaced by a rename.
    fn write(&self, folder: &Path) -> io::Result<()> {
        let draft = folder.join(format!("{CARD}.new"));
        fs::write(&draft, serde_json::to_vec(self)?)?;
        fs::rename(draft, folder.join(CARD))
    }

    fn remove(folder: &Path) -> io::Result<()> {
        fs::remove_file(folder.join(CARD))
    }
}

/// Runs the switch until a signal ends it.
pub(crate) async fn run(args: SwitchArgs) -> anyhow::Result<()> {
    process::keep_files_private();
    let mut config = Config::load(args.config.as_deref())?;
    config.telemetry.log = args.log.unwrap_or_else(|| "warn".to_owned());
    let _telemetry = telemetry::init(&config.telemetry, "baton-switch")?;
    process::raise_file_limit();
    let folder = args.data.or(config.switch.data_dir).unwrap_or_else(|| config.data.dir.join("switch"));
    folder::make(&folder).with_context(|| format!("the switch's folder {} can't be used", folder.display()))?;
    let key_file = args.key.or(config.auth.key_file).unwrap_or_else(|| folder::key_file(&config.data.dir));
    let key = SigningKey::load_or_create(&key_file)?;

    let mut setup = SwitchSettings::new(args.listen.unwrap_or(config.switch.listen), folder.clone());
    setup.sound = config.switch.sound;
    setup.limits.heard_keep_us = micros(config.switch.heard_kept_ms.duration());
    let lifecycle = Lifecycle::new();
    lifecycle.stop_on_signals()?;
    if args.exit_with_stdin {
        stdin::stop_when_closed(lifecycle.clone());
    }
    serve(setup, &key, &lifecycle, &folder).await
}

async fn serve(setup: SwitchSettings, key: &SigningKey, lifecycle: &Lifecycle, folder: &Path) -> anyhow::Result<()> {
    let switch = Switch::open(setup, Clock::real(), key.verifier())?;
    let (address, handle) = (switch.local_addr(), switch.handle());
    let serving = lifecycle::spawn(switch.serve(lifecycle.soft()));
    let boot_id = handle.with(|desk| desk.engine.boot_id().to_owned()).await?;
    drop(handle);
    SwitchCard { address, pid: std::process::id(), boot_id }.write(folder).context("the switch's card")?;
    crate::stdout::print_line(&format!("The simulated switch listens on http://{address}"));
    let served = serving.await?;
    if let Err(error) = SwitchCard::remove(folder) {
        tracing::warn!(%error, "the switch's card could not be taken away");
    }
    Ok(served?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_read_as_it_was_written_and_a_torn_one_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let card = SwitchCard { address: ([127, 0, 0, 1], 4).into(), pid: 7, boot_id: "b".to_owned() };
        assert_eq!(SwitchCard::read(folder.path()), None);
        card.write(folder.path()).unwrap();
        assert_eq!(SwitchCard::read(folder.path()), Some(card));
        fs::write(folder.path().join(CARD), "{\"addr").unwrap();
        assert_eq!(SwitchCard::read(folder.path()), None);
    }
}
