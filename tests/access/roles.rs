//! Every method of the contract in every role: refused exactly where the access table says so, and internal methods are not on the
//! public listener at all.

use baton_api::error::ErrorReason;
use baton_runtime::auth::Role;
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
        let channel = tenant.channel(&fresh(), role)?;
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
