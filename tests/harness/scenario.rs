//! A scenario: its name, and the Baton on which it runs.

use std::path::{Path, PathBuf};
use std::pin::Pin;

use baton_testkit::TestTenant;

/// The future of a scenario. It is not `Send`: each scenario has a thread of its own.
pub(crate) type Outcome = Pin<Box<dyn Future<Output = anyhow::Result<()>>>>;

/// One scenario.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    /// Begins with its row, where it has one: `b103_…`.
    pub(crate) name: &'static str,
    pub(crate) isolation: Isolation,
}

/// Whether a scenario shares its Baton.
#[derive(Clone, Copy)]
pub(crate) enum Isolation {
    /// Runs on the Baton that all share, in a tenant of its own.
    Shared(fn(TestTenant) -> Outcome),
    /// Runs on a Baton of its own, which it starts from the binary.
    Alone(fn(PathBuf) -> Outcome),
}

impl Scenario {
    /// The row that it belongs to: `b103`.
    pub(crate) fn row(&self) -> &str {
        self.name.split('_').next().unwrap_or(self.name)
    }

    pub(crate) fn begin_alone(run: fn(PathBuf) -> Outcome, binary: &Path) -> Outcome {
        run(binary.to_owned())
    }
}

/// Scenarios on the shared Baton, each an `async fn(TestTenant) -> anyhow::Result<()>`, by their own names.
macro_rules! shared {
    ($($scenario:ident),+ $(,)?) => {
        vec![$(crate::harness::Scenario {
            name: stringify!($scenario),
            isolation: crate::harness::scenario::Isolation::Shared(|tenant| Box::pin($scenario(tenant))),
        }),+]
    };
}

/// Scenarios with a Baton of their own, each an `async fn(PathBuf) -> anyhow::Result<()>` that is given the binary.
macro_rules! alone {
    ($($scenario:ident),+ $(,)?) => {
        vec![$(crate::harness::Scenario {
            name: stringify!($scenario),
            isolation: crate::harness::scenario::Isolation::Alone(|binary| Box::pin($scenario(binary))),
        }),+]
    };
}

pub(crate) use {alone, shared};
