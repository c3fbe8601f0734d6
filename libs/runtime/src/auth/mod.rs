//! Authentication, and authorization by role.
//!
//! Every call carries a JWT, of Baton's own key (HS256) or of an issuer of the site ([`Issuers`]); the caller's subject, tenant and role come from it and from nowhere else. The [`Gate`]
//! verifies it, looks the method up in the [table](access::ACCESS), and leaves a [`Caller`] for the handler
//! (`request.caller()?`). A tenant that the operator has suspended, or never created, is refused
//! ([`AdmissionList`]). The handler decides what the caller may do with a particular object.

pub mod access;
mod admission_follow;
mod admission_list;
mod admission_service;
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
mod visitors;

pub use admission_follow::follow_admissions;
pub use admission_list::{AdmissionList, TenantAdmission, TenantLimits, TenantState};
pub use admission_service::{AdmissionApi, OwnedAdmissions};
pub use caller::{Caller, CallerExt, InvalidTenant, Role, TenantId};
pub use gate::Gate;
pub use grants::Grants;
pub use issuers::{IssuerReport, Issuers};
pub use key::{KeyError, SigningKey};
pub use token::TokenError;
pub use verifier::{Admission, Verifier};
pub use visitors::VisitorTokens;
