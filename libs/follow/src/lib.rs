//! What every service does that follows interactions: it says which projections it lacks ([`compare`]), and reports what it has observed until
//! the transfer service has committed it ([`report`]).

pub mod compare;
pub mod report;
