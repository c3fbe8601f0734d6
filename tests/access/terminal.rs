//! What a person sees: `baton` on terminals of different widths, which are real ones (pseudo-terminals), and on none.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::Context as _;
use baton_api::common::v1::RecordingMode;
use baton_testkit::{BOUND, Embedded, TestTenant, eventually};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use unicode_width::UnicodeWidthStr as _;

use super::command_line::client;
use crate::harness::{Office, Scenario, alone, on_its_own};

/// A name that no narrow terminal has room for.
const LONG_NAME: &str = "Benedetta Annunziata Castiglione of the night shift in Antwerp, 安特卫普";
/// Where a UUID's last group begins: a table shows an id from there on.
const LAST_GROUP: usize = 24;
const ESCAPE: char = '\u{1b}';

pub(super) fn scenarios() -> Vec<Scenario> {
    alone![
        access_n8_lists_and_help_fit_into_terminals_of_any_width,
        access_n8_without_a_terminal_nothing_is_cut_or_coloured,
    ]
}

/// A tenant with something in each of its lists.
struct Furnished {
    office: Office,
    data: String,
    tenant: String,
    /// Ids that a list shows, by the list.
    ids: Vec<(&'static str, String)>,
}

impl Furnished {
    async fn new(target: &Embedded) -> anyhow::Result<Self> {
        let tenant = TestTenant::create(target.endpoints()).await?;
        let mut office = Office::open(tenant, "lead_center").await?;
        let agent = office.agent(LONG_NAME).await?;
        office.agent("Ben").await?;
        let recorded = office.recorded(RecordingMode::All, &agent).await?;
        office.customer_hangs_up(&recorded).await?;
        let recording = office.tenant.until_recorded(&recorded, 1).await?.remove(0);
        office.until_free(&agent).await?;
        let call = office.talking(&agent).await?;
        let ids = vec![
            ("agent", agent.id().to_owned()),
            ("call", call.interaction_id),
            ("recording", recording.recording_id),
        ];
        let (data, tenant) = (target.data().to_string_lossy().into_owned(), office.tenant.id().to_string());
        let furnished = Self { office, data, tenant, ids };
        Ok(furnished)
    }

    fn command(&self, binary: &Path, arguments: &[&str]) -> Command {
        let mut command = client(binary, arguments);
        // What else is asked about colours: a build server's `CI` goes over a terminal that has none.
        for variable in ["COLUMNS", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "CI"] {
            command.env_remove(variable);
        }
        command.env("TERM", "xterm-256color");
        if arguments.last() != Some(&"--help") {
            command.args(["--tenant", &self.tenant, "--data", &self.data]);
        }
        command
    }

    /// Events come a moment after what they are about.
    async fn until_events_are_there(&self, binary: &Path) -> anyhow::Result<()> {
        eventually("the end of the recording is published", BOUND, async || {
            let output = self.command(binary, &["events", "list", "--filter", "recording.*"]).output();
            let said = String::from_utf8_lossy(&output.map_err(|error| error.to_string())?.stdout).into_owned();
            if said.lines().count() > 2 { Ok(()) } else { Err(said) }
        })
        .await
    }

    async fn everybody_leaves(&self) -> anyhow::Result<()> {
        crate::harness::aftermath::nothing_is_left(&self.office.tenant).await
    }
}

const LISTS: [&[&str]; 8] = [
    &["agent", "list"],
    &["agent", "targets"],
    &["call", "list"],
    &["call", "list", "--all"],
    &["number", "list"],
    &["flow", "list"],
    &["recording", "list"],
    &["events", "list"],
];
const HELP: [&[&str]; 4] =
    [&["--help"], &["call", "--help"], &["transfer", "start", "--help"], &["events", "list", "--help"]];

async fn access_n8_lists_and_help_fit_into_terminals_of_any_width(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let furnished = Furnished::new(target).await?;
        furnished.until_events_are_there(&binary).await?;
        for width in [30, 60, 80, 200] {
            let help = if width < 60 { &[][..] } else { &HELP };
            for arguments in LISTS.iter().chain(help) {
                let shown = on_a_terminal(width, furnished.command(&binary, arguments))?;
                fits(&shown, width).with_context(|| format!("{arguments:?} in {width} columns"))?;
            }
            for (noun, id) in &furnished.ids {
                let shown = on_a_terminal(width, furnished.command(&binary, &[noun, "list"]))?;
                let id = &id[LAST_GROUP..];
                anyhow::ensure!(shown.contains(id), "{noun} list in {width} columns has no {id}: {shown}");
            }
        }
        for arguments in [&["call", "list"][..], &["recording", "list"], &["--help"]] {
            let shown = on_a_terminal(80, furnished.command(&binary, arguments))?;
            anyhow::ensure!(shown.contains(ESCAPE), "{arguments:?} has no colours: {shown}");
            for (variable, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
                let mut plain = furnished.command(&binary, arguments);
                plain.env(variable, value);
                let shown = on_a_terminal(80, plain)?;
                anyhow::ensure!(!shown.contains(ESCAPE), "{arguments:?} has colours with {variable}: {shown:?}");
            }
        }
        furnished.everybody_leaves().await
    })
    .await
}

async fn access_n8_without_a_terminal_nothing_is_cut_or_coloured(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let furnished = Furnished::new(target).await?;
        for arguments in LISTS {
            let output = furnished.command(&binary, arguments).output()?;
            let said = String::from_utf8(output.stdout)?;
            anyhow::ensure!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {:?}", output.stderr);
            anyhow::ensure!(!said.contains([ESCAPE, '…', '\r']), "{arguments:?}: {said:?}");
        }
        let agents = furnished.command(&binary, &["agent", "list"]).output()?;
        anyhow::ensure!(String::from_utf8_lossy(&agents.stdout).contains(LONG_NAME), "{agents:?}");
        furnished.everybody_leaves().await
    })
    .await
}

/// No line is wider, and there are lines.
fn fits(shown: &str, width: usize) -> anyhow::Result<()> {
    anyhow::ensure!(shown.lines().count() > 1, "it shows nothing: {shown:?}");
    let wide = shown.lines().map(without_colours).find(|line| line.width() > width);
    match wide {
        Some(line) => anyhow::bail!("{} columns: {line}", line.width()),
        None => Ok(()),
    }
}

/// Without the sequences that begin with an escape and end with a letter.
fn without_colours(line: &str) -> String {
    let mut pieces = line.split(ESCAPE);
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |plain, piece| {
        plain + piece.split_once(|it: char| it.is_ascii_alphabetic()).map_or("", |(_, after)| after)
    })
}

/// What a command shows on a terminal of so many columns; it must succeed.
fn on_a_terminal(columns: usize, mut command: Command) -> anyhow::Result<String> {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    unlockpt(&ours)?;
    let theirs = ioctl_tiocgptpeer(&ours, OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    let size = Winsize { ws_col: columns.try_into()?, ws_row: 24, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&theirs, size)?;
    let mut child = command.stdout(theirs).spawn()?;
    // It has a copy of the other end, which would keep the terminal open.
    drop(command);
    let mut shown = Vec::new();
    // Reading fails when the last one has closed the other end.
    let _ = File::from(ours).read_to_end(&mut shown);
    let status: ExitStatus = child.wait()?;
    let shown = String::from_utf8(shown)?.replace("\r\n", "\n");
    anyhow::ensure!(status.success(), "it ended with {status}: {shown}");
    Ok(shown)
}
