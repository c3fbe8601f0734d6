//! Every method of the contract in every role: refused exactly where the access table says so, and internal methods are not on the
//! public listener at all.

use baton_api::error::ErrorReason;
use baton_runtime::Clock;
use baton_runtime::auth::{Caller, Role};
use baton_runtime::client::GrpcChannel;
use baton_testkit::TestTenant;
use baton_testkit::tenant::fresh;
use tonic::Code;

use super::contract::{Method, call, methods, refusal_of};
use crate::harness::{Scenario, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![access_every_method_is_refused_to_exactly_the_roles_that_the_table_leaves_out]
}

async fn access_every_method_is_refused_to_exactly_the_roles_that_the_table_leaves_out(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for role in Role::ALL {
        let channel = as_role(&tenant, role)?;
        for method in methods()? {
            let seen = refusal_of(&call(&channel, &method, Vec::new()).await);
            if !is_right(&method, role, seen) {
                wrong.push(format!("{role} {}: {seen:?}", method.path));
            }
        }
    }
    anyhow::ensure!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

fn is_right(method: &Method, role: Role, (code, reason): (Code, Option<ErrorReason>)) -> bool {
    let refused = code == Code::PermissionDenied && reason == Some(ErrorReason::RoleNotAllowed);
    match (method.roles.contains(&role), method.is_internal()) {
        (true, true) => code == Code::Unimplemented,
        (false, _) => refused,
        (true, false) => !matches!(code, Code::PermissionDenied | Code::Unauthenticated | Code::Unimplemented),
    }
}

fn as_role(tenant: &TestTenant, role: Role) -> anyhow::Result<GrpcChannel> {
    if role.belongs_to_tenant() {
        return tenant.channel(&fresh(), role);
    }
    let ttl = std::time::Duration::from_mins(5);
    let caller = Caller { tenant: None, subject: "intruder".to_owned(), role };
    let token = tenant.key().mint(&caller, Clock::real().now_us(), ttl)?;
    Ok(tenant.anonymous().with_token(&token)?)
}
