//! What the outside must be like because of the state: pure functions of it. Each receiver makes its part of the world match, and refuses a
//! projection older than one it has seen; pushing one again heals.

mod claims;
mod deadline;
mod plan;
mod wait;

pub use claims::{Claims, WantedClaim, claims};
pub use deadline::deadline;
pub(crate) use deadline::{HAND_OVER_US, RING_SILENCE_US, offer_deadline};
pub(crate) use plan::CUSTOMER_DISCONNECTED;
pub use plan::{Exit, MediaPlan, Origin, PlannedLeg, PlannedSegment, Treatment, plan};
pub use wait::{Wait, wait};
