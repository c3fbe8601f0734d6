//! Authentication, and authorization by role.
//!
//! Every call carries a JWT, of Baton's own key (HS256) or of an issuer of the site ([`Issuers`]); the caller's subject, tenant and role come from it and from nowhere else. The [`Gate`]
//! verifies it, looks the method up in the [table](access::ACCESS), and leaves a [`Caller`] for the handler
//! (`request.caller()?`). A tenant that the operator has suspended, or never created, is refused
//! ([`AdmissionList`]). The handler decides what the caller may do with a particular object.

pub mod access;
mod admission_list;
mod caller;
mod gate;
mod grants;
mod hs256;
mod issuers;
mod key;
mod provider;
mod public_key;
mod token;
mod verifier;

pub use admission_list::{AdmissionList, TenantLimits, TenantState};
pub use caller::{Caller, CallerExt, InvalidTenant, Role, TenantId};
pub use gate::Gate;
pub use grants::Grants;
pub use issuers::Issuers;
pub use key::{KeyError, SigningKey};
pub use token::TokenError;
pub use verifier::{Admission, Verifier};
