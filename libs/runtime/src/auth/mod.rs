//! Who is calling, and what they may call.
//!
//! Every call carries a JWT (HS256): its subject, tenant and role are the only source for who acts and for whom. The
//! [`Gate`] verifies it, looks the method up in the one [table](access::ACCESS), and leaves a [`Caller`] for the handler
//! (`request.caller()?`). What a caller may do with a particular object is the handler's to decide.

pub mod access;
mod caller;
mod gate;
mod key;
mod token;

pub use caller::{Caller, CallerExt, InvalidTenant, Role, TenantId};
pub use gate::Gate;
pub use key::{KeyError, SigningKey};
pub use token::{TokenError, Verifier};
