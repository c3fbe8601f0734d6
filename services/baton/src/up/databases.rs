//! The databases of a data folder: looked through before anything is started, and closed when everything has ended.
//!
//! They are one set: [`baton_store::members`] says how that is known. The event log alone can be made again, from what the services
//! keep of their events; any other that is damaged, gone or from another time refuses the start, and nothing is touched.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use baton_runtime::ids::new_uuid;
use baton_store::StoreError;
use baton_store::members::{self, InspectError, Membership};

/// What a database is called without `.db`; the event log first.
pub(crate) const NAMES: [&str; 6] = ["events", "presence", "recording", "routing", "telephony", "transfer"];
const EVENTS: &str = NAMES[0];
/// There while a start gives the databases its number: until then they may differ by one.
const ENROLLING: &str = "enrolling";

#[derive(Debug, thiserror::Error)]
pub(crate) enum SetError {
    #[error(
        "a database can't be used: restore the last backup into another folder (`baton restore`), or, if there is none, move it away \
         together with the other databases and begin anew"
    )]
    Damaged(#[source] InspectError),
    #[error(
        "a database can't be looked through, and may be whole: see that the disk has free space and that this user may write to the \
         data folder, and start again"
    )]
    Unreadable(#[source] InspectError),
    #[error(
        "{} is gone, and the other databases know of it: put it back, or restore the last backup into another folder (`baton restore`)",
        file.display()
    )]
    Missing { file: PathBuf },
    #[error(
        "{} does not belong to the other databases ({why}): put the right one back, or restore one whole backup (`baton restore`)",
        file.display()
    )]
    Foreign { file: PathBuf, why: &'static str },
    #[error("the databases can't be given the number of this start")]
    Enrol(#[from] StoreError),
    #[error("the databases can't be looked through")]
    Io(#[from] io::Error),
}

impl From<InspectError> for SetError {
    fn from(error: InspectError) -> Self {
        match error {
            InspectError::Damaged { .. } => Self::Damaged(error),
            InspectError::Read { .. } => Self::Unreadable(error),
        }
    }
}

/// The set as this start found it.
#[derive(Debug)]
pub(crate) struct DatabaseSet {
    folder: PathBuf,
    /// What each database is told once everything runs.
    next: Membership,
}

impl DatabaseSet {
    /// Looks through all databases; makes the event log again if it is lost.
    pub(crate) async fn check(folder: &Path) -> Result<Self, SetError> {
        let mut found: BTreeMap<&'static str, _> = BTreeMap::new();
        let mut lost_events = None;
        for name in NAMES {
            let file = file_of(folder, name);
            if !file.try_exists()? {
                continue;
            }
            match members::inspect(&file).await {
                Ok(membership) => drop(found.insert(name, membership)),
                Err(InspectError::Damaged { what, .. }) if name == EVENTS => lost_events = Some(what),
                Err(error) => return Err(error.into()),
            }
        }
        let is_enrolling = folder.join(ENROLLING).try_exists()?;
        belong_together(folder, &found, is_enrolling)?;
        if let Some(what) = &lost_events {
            keep_damaged(&file_of(folder, EVENTS), what)?;
        }
        if !found.contains_key(EVENTS) && !found.is_empty() {
            // Every service publishes what it keeps once more, because a new log knows nothing of it.
            tracing::warn!(
                "the event log was lost; it is built again from what the services keep of 30 days. Positions begin anew: who follows events \
                 starts over"
            );
        }
        let known = found.into_values().flatten().max_by_key(|it| it.starts);
        let (set_id, starts) = known.map_or_else(|| (new_uuid(), 0), |it| (it.set_id, it.starts));
        let next = Membership { set_id, starts: starts + 1, members: NAMES.join(" ") };
        Ok(Self { folder: folder.to_owned(), next })
    }

    /// Gives all of them the number of this start, once they are there.
    pub(crate) async fn enrol(&self) -> Result<(), SetError> {
        let marker = self.folder.join(ENROLLING);
        fs::write(&marker, b"")?;
        for name in NAMES {
            members::enrol(&file_of(&self.folder, name), &self.next).await?;
        }
        Ok(fs::remove_file(marker)?)
    }

    /// Makes each file the whole of its database, so that a copy of the files is a copy of everything.
    pub(crate) async fn close(&self) {
        for name in NAMES {
            let file = file_of(&self.folder, name);
            if let Err(error) = members::checkpoint(&file).await {
                tracing::warn!(file = %file.display(), %error, "it was not closed in good order; copy it with its -wal file");
            }
        }
    }
}

pub(crate) fn file_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.db"))
}

/// The files of the databases that are there.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    NAMES.iter().map(|name| file_of(folder, name)).filter(|it| it.exists()).collect()
}

/// Databases that were never started together know nothing of each other.
fn belong_together(
    folder: &Path,
    found: &BTreeMap<&str, Option<Membership>>,
    is_enrolling: bool,
) -> Result<(), SetError> {
    let known = || found.iter().filter_map(|(name, it)| Some((*name, it.as_ref()?)));
    let Some((_, newest)) = known().max_by_key(|(_, it)| it.starts) else { return Ok(()) };
    if let Some(name) = newest.members.split(' ').find(|it| *it != EVENTS && !found.contains_key(it)) {
        return Err(SetError::Missing { file: file_of(folder, name) });
    }
    for (name, membership) in found {
        let why = match membership {
            None if is_enrolling => continue,
            None => "it was never started with them",
            Some(it) if it.set_id != newest.set_id => "it is from another data folder",
            Some(it) if it.starts == newest.starts || (is_enrolling && it.starts + 1 == newest.starts) => continue,
            Some(_) => "it is an older copy",
        };
        return Err(SetError::Foreign { file: file_of(folder, name), why });
    }
    Ok(())
}

/// Keeps what is left of a database, for a person to look at.
fn keep_damaged(file: &Path, what: &str) -> io::Result<()> {
    for ending in ["", "-wal", "-shm"] {
        let with = |more: &str| PathBuf::from(format!("{}{more}{ending}", file.display()));
        match fs::rename(with(""), with(".damaged")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    tracing::warn!(file = %file.display(), what, "the event log is damaged; it is kept as events.db.damaged");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(set: u128, starts: i64) -> Membership {
        Membership { set_id: uuid::Uuid::from_u128(set), starts, members: "events presence transfer".into() }
    }

    fn why(found: &[(&'static str, Option<Membership>)], is_enrolling: bool) -> String {
        let found = found.iter().cloned().collect();
        belong_together(Path::new("/d"), &found, is_enrolling)
            .map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn n2_files_that_do_not_belong_together_are_refused_by_name() {
        let cases = [
            ("presence", Some(member(2, 4)), "from another data folder"),
            ("presence", Some(member(1, 3)), "an older copy"),
            ("presence", None, "never started with them"),
        ];
        for (name, odd, expected) in cases {
            let said = why(&[("events", Some(member(1, 4))), (name, odd), ("transfer", Some(member(1, 4)))], false);
            assert!(said.contains(expected) && said.contains("/d/presence.db"), "{said}");
        }
        let said = why(&[("events", Some(member(1, 4))), ("transfer", Some(member(1, 4)))], false);
        assert!(said.contains("/d/presence.db is gone"), "{said}");
    }

    #[test]
    fn n2_a_start_that_was_killed_while_it_numbered_them_is_no_mixture() {
        let half = [("events", Some(member(1, 5))), ("presence", Some(member(1, 4))), ("transfer", None)];
        assert_eq!(why(&half, true), "");
        assert!(!why(&half, false).is_empty());
        assert_eq!(why(&[("events", None), ("transfer", None)], false), "");
        assert_eq!(
            why(&[("presence", Some(member(1, 4))), ("transfer", Some(member(1, 4)))], false),
            "",
            "the log can be made again"
        );
    }
}
