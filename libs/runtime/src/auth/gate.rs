//! Admission at every listener: a valid token, of a role that may call the method of whom the admission list accepts.

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use tonic::Status;

use super::{Admission, AdmissionList, Caller, Role, TenantLimits, TokenError, Verifier, access};
use crate::service_name::ServiceName;

/// Paths that need no token: they reveal nothing about any tenant, and probes and tools have no token.
const OPEN: &[&str] =
    &["/grpc.health.v1.Health/", "/grpc.reflection.v1.ServerReflection/", "/grpc.reflection.v1alpha.ServerReflection/"];

/// Admits or refuses calls.
#[derive(Clone, Debug)]
pub struct Gate {
    verifier: Verifier,
    /// `None`: whoever has a valid token.
    list: Option<AdmissionList>,
}

impl Gate {
    pub fn new(verifier: Verifier) -> Self {
        Self { verifier, list: None }
    }

    /// Admits only whom the list accepts.
    #[must_use]
    pub fn with_list(self, list: AdmissionList) -> Self {
        Self { list: Some(list), ..self }
    }

    /// Refuses a caller whom the list does not accept.
    pub(crate) fn check_list(&self, caller: &Caller) -> Result<(), ApiError> {
        self.list.as_ref().map_or(Ok(()), |list| list.check(caller))
    }

    /// Finds out about the tenant for whose sake a call was refused, if it is not known in this process; whether there is such a tenant.
    pub(crate) fn learn(&self, refused: &Status) -> Option<impl Future<Output = bool> + Send + use<>> {
        let error = ApiError::from_status(refused).filter(|it| it.reason == ErrorReason::TenantUnknown)?;
        let (_, tenant) = error.metadata.iter().find(|(key, _)| key == "tenant")?;
        self.list.as_ref()?.learn(&tenant.parse().ok()?)
    }

    /// How much the caller's tenant may use.
    pub(crate) fn limits(&self, caller: &Caller) -> TenantLimits {
        let of_tenant = self.list.as_ref().zip(caller.tenant.as_ref()).map(|(list, tenant)| list.limits(tenant));
        of_tenant.unwrap_or_default()
    }

    /// Waits until the caller is no longer accepted, and says why.
    pub(crate) fn refused(&self, caller: &Caller) -> impl Future<Output = ApiError> + Send + use<> {
        let (list, caller) = (self.list.clone(), caller.clone());
        async move {
            match list {
                Some(list) => list.refused(&caller).await,
                None => std::future::pending().await,
            }
        }
    }

    /// The caller, if they may call this method; `None` for an open path. Whoever shows no token is the `service` whose certificate the
    /// connection has.
    pub fn admit(
        &self,
        path: &str,
        (headers, service): (&HeaderMap, Option<ServiceName>),
        now_us: i64,
    ) -> Result<Option<Admission>, Status> {
        if OPEN.iter().any(|open| path.starts_with(open)) {
            return Ok(None);
        }
        let admission = match service.filter(|_| !headers.contains_key(AUTHORIZATION)) {
            Some(service) => Admission { caller: Caller::service(service.as_str()), expires_us: i64::MAX },
            None => self.verifier.verify(bearer(headers)?, now_us).map_err(|error| refusal(&error))?,
        };
        let role = admission.caller.role;
        match access::roles(path) {
            Some(roles) if roles.contains(&role) => {
                self.check_list(&admission.caller)?;
                Ok(Some(admission))
            }
            Some(roles) => Err(not_allowed(path, role, roles).into()),
            // The answer of the router for a method that is not served. A method that is served, but missing in the table,
            // gets it too.
            None => Err(ApiError::unknown_method().into()),
        }
    }
}

/// The token in the `authorization` header. Two such headers are refused: the second may have been added by somebody else
/// than the caller whom the first names.
fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(missing());
    };
    let text = value.to_str().map_err(|_| missing())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(missing()) }
}

fn missing() -> ApiError {
    ApiError::unauthenticated(
        ErrorReason::TokenMissing,
        "Send one header `authorization: Bearer <token>`; `baton token` mints one.",
    )
}

fn refusal(error: &TokenError) -> ApiError {
    let reason = match error {
        TokenError::Expired => ErrorReason::TokenExpired,
        TokenError::Invalid(_) | TokenError::Signing => ErrorReason::TokenInvalid,
        // The token may be good: its bearer needs no other one, but a moment.
        TokenError::Unavailable(_) => return ApiError::unavailable(error.to_string()),
    };
    ApiError::unauthenticated(reason, error.to_string())
}

fn not_allowed(path: &str, role: Role, roles: &[Role]) -> ApiError {
    let names = roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ");
    let message = format!("The role {role} may not call {path}.");
    ApiError::permission_denied(message).with("role", role).with("allowed_roles", names)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use baton_api::ErrorKind;
    use http::HeaderValue;

    use super::*;
    use crate::auth::{SigningKey, TenantState};

    const PATH: &str = "/baton.transfer.v1.TransferService/StartTransfer";
    const INTERNAL: &str = "/baton.transfer.v1.IntakeService/ReportFacts";

    fn headers(values: &[&str]) -> HeaderMap {
        let value = |it: &&str| (AUTHORIZATION, HeaderValue::from_str(it).unwrap());
        values.iter().map(value).collect()
    }

    fn token(key: &SigningKey, role: Role) -> String {
        let caller = Caller::of_tenant("demo".parse().unwrap(), "someone", role);
        key.mint(&caller, 0, Duration::from_mins(1)).unwrap()
    }

    fn refused(gate: &Gate, path: &str, headers: &HeaderMap, now_us: i64) -> ApiError {
        ApiError::of(&gate.admit(path, (headers, None), now_us).unwrap_err())
    }

    #[test]
    fn a_valid_token_of_a_permitted_role_is_admitted() {
        let key = SigningKey::generate();
        let headers = headers(&[&format!("Bearer {}", token(&key, Role::Agent))]);
        let admission = Gate::new(key.verifier()).admit(PATH, (&headers, None), 0).unwrap().unwrap();
        assert_eq!(admission.caller.subject, "someone");
    }

    #[test]
    fn a_header_that_is_no_single_bearer_token_is_a_missing_token() {
        let key = SigningKey::generate();
        let gate = Gate::new(key.verifier());
        let token = token(&key, Role::Agent);
        let bearer = format!("Bearer {token}");
        let corpus: [&[&str]; 5] = [&[], &[&token], &["Basic YTpi"], &[""], &[&bearer, &bearer]];
        for values in corpus {
            assert_eq!(refused(&gate, PATH, &headers(values), 0).reason, ErrorReason::TokenMissing, "{values:?}");
        }
    }

    #[test]
    fn reasons_tell_expired_from_invalid() {
        let key = SigningKey::generate();
        let gate = Gate::new(key.verifier());
        let expired = headers(&[&format!("Bearer {}", token(&key, Role::Agent))]);
        assert_eq!(refused(&gate, PATH, &expired, 3_600_000_000).reason, ErrorReason::TokenExpired);
        assert_eq!(refused(&gate, PATH, &headers(&["Bearer x.y.z"]), 0).reason, ErrorReason::TokenInvalid);
    }

    #[test]
    fn a_refused_role_learns_which_roles_are_permitted() {
        let key = SigningKey::generate();
        let headers = headers(&[&format!("Bearer {}", token(&key, Role::Agent))]);
        let error = refused(&Gate::new(key.verifier()), INTERNAL, &headers, 0);
        assert_eq!(error.reason, ErrorReason::RoleNotAllowed);
        assert!(error.metadata.contains(&("allowed_roles".to_owned(), "service".to_owned())));
    }

    #[test]
    fn a_method_that_is_not_in_the_table_does_not_exist_for_any_role_and_a_call_without_a_token_does_not_learn_it() {
        let key = SigningKey::generate();
        let gate = Gate::new(key.verifier());
        for path in ["/baton.transfer.v1.TransferService/Nothing", "/baton.x.v1.XService/Do", "/other.Service/Do", "/"]
        {
            for role in Role::ALL.into_iter().filter(|it| it.belongs_to_tenant()) {
                let headers = headers(&[&format!("Bearer {}", token(&key, role))]);
                let error =
                    ApiError::from_status(&gate.admit(path, (&headers, None), 0).unwrap_err()).expect("it is typed");
                assert_eq!(
                    (error.kind, error.reason),
                    (ErrorKind::Unimplemented, ErrorReason::MethodUnknown),
                    "{role} {path}"
                );
            }
            assert_eq!(refused(&gate, path, &HeaderMap::new(), 0).reason, ErrorReason::TokenMissing, "{path}");
        }
    }

    #[test]
    fn a_tenant_that_is_suspended_or_unknown_is_refused() {
        let (key, tenants) = (SigningKey::generate(), AdmissionList::default());
        let gate = Gate::new(key.verifier()).with_list(tenants.clone());
        let headers = headers(&[&format!("Bearer {}", token(&key, Role::Agent))]);
        assert_eq!(refused(&gate, PATH, &headers, 0).reason, ErrorReason::TenantUnknown);
        tenants.set("demo".parse().unwrap(), TenantState::Active);
        assert!(gate.admit(PATH, (&headers, None), 0).is_ok());
        tenants.set("demo".parse().unwrap(), TenantState::Suspended);
        assert_eq!(refused(&gate, PATH, &headers, 0).reason, ErrorReason::TenantSuspended);
    }

    #[test]
    fn probes_and_reflection_need_no_token() {
        let gate = Gate::new(SigningKey::generate().verifier());
        for path in ["/grpc.health.v1.Health/Check", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"] {
            assert_eq!(gate.admit(path, (&HeaderMap::new(), None), 0).unwrap(), None);
        }
        assert!(gate.admit("/grpc.health.v1.HealthX/Check", (&HeaderMap::new(), None), 0).is_err());
    }
}
