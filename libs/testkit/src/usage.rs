//! What a process has used: of Linux's `/proc` (`man 5 proc`).

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// How long it has used a core so far.
pub(crate) fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|it| it.parse::<u64>().ok()).context("no process times");
    // Linux counts them in hundredths of a second: user and system time.
    Ok(Duration::from_millis(10 * (ticks(11)? + ticks(12)?)))
}

/// In bytes: the most memory that it has had in use at once.
pub(crate) fn peak_memory(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no peak of memory")?;
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().context("the peak of memory")?;
    Ok(kib * 1024)
}
