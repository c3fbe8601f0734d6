//! What the outside must be like because of the state: pure functions of it, complete. Each receiver makes its part of the world match, and
//! refuses a projection older than one it has seen; pushing one again heals. Services carry a projection, and write beside it only what never
//! changes: whose interaction it is, on which switch, and with which customer.

mod claims;
mod deadline;
mod outside;
mod place;
mod plan;
mod transfer;
mod wait;

pub use claims::{Claims, OfferedBy, Reservation, WantedClaim, claims};
pub use deadline::deadline;
pub(crate) use deadline::{call_limit_us, customer_ring_deadline_us, hold_deadlines_us};
pub use outside::outside_legs;
pub(crate) use place::{is_apart, is_parked, room_of};
pub(crate) use plan::CUSTOMER_DISCONNECTED;
pub use plan::{MediaPlan, PlannedAnnouncement, PlannedExit, PlannedLeg, PlannedRoom, PlannedSegment, plan};
pub use transfer::{TransferRecord, open_transfer, transfers};
pub use wait::{Queueing, Served, TEAM_PRIORITY, Wait, queueing, wait};
