//! What the other services have accepted of one interaction's projections, and at which version.

use baton_domain::project::{Claims, MediaPlan, Queueing};

/// None: it was not accepted yet, or is lacking again.
#[derive(Debug, Default)]
pub(super) struct AcceptedProjections {
    pub(super) plan: Option<Accepted<MediaPlan>>,
    pub(super) claims: Option<Accepted<Claims>>,
    /// What is waited for may be nothing.
    pub(super) wait: Option<Accepted<Queueing>>,
}

#[derive(Debug)]
pub(super) struct Accepted<T> {
    /// The version of the interaction at which it was accepted. The projections of later ones may be the same.
    pub(super) version: u64,
    pub(super) projection: T,
}

impl AcceptedProjections {
    pub(super) fn has_plan(&self, plan: &MediaPlan) -> bool {
        let same = |it: &MediaPlan| *it == MediaPlan { version: it.version, ..plan.clone() };
        self.plan.as_ref().is_some_and(|it| same(&it.projection))
    }

    pub(super) fn has_claims(&self, claims: &Claims) -> bool {
        let same = |it: &Claims| *it == Claims { version: it.version, ..claims.clone() };
        self.claims.as_ref().is_some_and(|it| same(&it.projection))
    }

    pub(super) fn has_wait(&self, wait: &Queueing) -> bool {
        self.wait.as_ref().is_some_and(|it| it.projection == *wait)
    }
}

/// A receiver of this projection lacks it at this version; one that was accepted since is not meant.
pub(super) fn forget<T>(accepted: &mut Option<Accepted<T>>, version: u64) {
    if accepted.as_ref().is_some_and(|it| it.version == version) {
        *accepted = None;
    }
}
