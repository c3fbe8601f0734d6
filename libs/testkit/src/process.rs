//! The processes that work on a data folder. They are found by the folder: `up` starts the switch as a program that outlives it, so
//! process ids and names are not enough.

use std::path::Path;

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};

/// What a process holds.
#[derive(Debug, Clone, Copy)]
pub struct ProcessUsage {
    /// Resident, in bytes.
    pub memory: u64,
    /// Open files, sockets and the like.
    pub descriptors: u64,
}

/// A process that has the data folder among its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FolderProcess {
    pid: Pid,
    arguments: Vec<String>,
}

impl FolderProcess {
    /// Whether it was started as this command, `baton <command> …`.
    pub(crate) fn is(&self, command: &str) -> bool {
        self.arguments.get(1).is_some_and(|it| it == command)
    }

    /// What it holds now.
    pub(crate) fn usage(&self) -> anyhow::Result<ProcessUsage> {
        let folder = format!("/proc/{}", self.pid.as_raw_nonzero());
        let status = std::fs::read_to_string(format!("{folder}/status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no resident memory")?;
        let kib: u64 = resident.trim().trim_end_matches(" kB").parse().context("the resident memory")?;
        let descriptors = std::fs::read_dir(format!("{folder}/fd"))?.count() as u64;
        Ok(ProcessUsage { memory: kib * 1024, descriptors })
    }

    /// An error means that the process is gone.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = kill_process(self.pid, signal);
    }
}

/// The processes with this folder, or something in it, among their arguments.
pub(crate) fn working_on(folder: &Path) -> Vec<FolderProcess> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let folder = folder.to_string_lossy();
    let processes = entries.flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw)?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let arguments: Vec<_> = line.split(|it| *it == 0).map(|it| String::from_utf8_lossy(it).into_owned()).collect();
        Some(FolderProcess { pid, arguments })
    });
    processes.filter(|it| it.arguments.iter().any(|argument| argument.contains(folder.as_ref()))).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_found_by_its_folder_and_ended() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("wait");
        std::fs::write(&script, "echo here; read line").unwrap();
        let (stdin, stdout) = (Stdio::piped(), Stdio::piped());
        let mut child = Command::new("sh").arg(&script).stdin(stdin).stdout(stdout).spawn().unwrap();
        // Its arguments can be read a moment after `spawn` returns, and surely once it speaks.
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 4]).unwrap();
        let found = working_on(folder.path());
        assert_eq!(found.iter().map(|it| it.pid.as_raw_nonzero().get()).collect::<Vec<_>>(), [child.id() as i32]);
        assert!(found[0].is(&script.to_string_lossy()));
        found[0].signal(Signal::KILL);
        child.wait().unwrap();
        assert!(working_on(folder.path()).is_empty());
    }
}
