//! A scenario: its name, and how it is run.

use std::path::{Path, PathBuf};
use std::pin::Pin;

use baton_testkit::World;

/// How a scenario ends. It need not move between threads: each has one of its own.
pub(crate) type Outcome = Pin<Box<dyn Future<Output = anyhow::Result<()>>>>;

/// One scenario.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    /// Begins with its row, where it has one: `b103_…`.
    pub(crate) name: &'static str,
    pub(crate) place: Place,
}

/// Where it is played.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// On the Baton that all share, in a tenant of its own.
    Shared(fn(World) -> Outcome),
    /// On one of its own, which it starts from the binary.
    Alone(fn(PathBuf) -> Outcome),
}

impl Scenario {
    /// The row that it belongs to: `b103`.
    pub(crate) fn row(&self) -> &str {
        self.name.split('_').next().unwrap_or(self.name)
    }

    /// What it is to be started on.
    pub(crate) fn begin_alone(run: fn(PathBuf) -> Outcome, binary: &Path) -> Outcome {
        run(binary.to_owned())
    }
}

/// Scenarios on the shared Baton, each an `async fn(World) -> anyhow::Result<()>`, by their own names.
macro_rules! shared {
    ($($scenario:ident),+ $(,)?) => {
        vec![$(crate::harness::Scenario {
            name: stringify!($scenario),
            place: crate::harness::scenario::Place::Shared(|world| Box::pin($scenario(world))),
        }),+]
    };
}

/// Scenarios with a Baton of their own, each an `async fn(PathBuf) -> anyhow::Result<()>` that is given the binary.
macro_rules! alone {
    ($($scenario:ident),+ $(,)?) => {
        vec![$(crate::harness::Scenario {
            name: stringify!($scenario),
            place: crate::harness::scenario::Place::Alone(|binary| Box::pin($scenario(binary))),
        }),+]
    };
}

pub(crate) use {alone, shared};
