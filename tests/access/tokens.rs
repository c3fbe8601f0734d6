//! X2: without a token, with a forged one, with one that has expired or is for somebody else, every method of the contract refuses.

use std::time::Duration;

use baton_api::error::ErrorReason;
use baton_runtime::Clock;
use baton_runtime::auth::{Caller, Role, SigningKey};
use baton_runtime::client::GrpcChannel;
use baton_testkit::TestTenant;
use tonic::Code;

use super::contract::{call, methods, refusal_of};
use crate::harness::{Scenario, shared};

/// `{"alg":"none"}`, and a supervisor's claims.
const UNSIGNED: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4IiwidGVuYW50IjoiZGVtbyIsInJvbGUiOiJzdXBlcnZpc29yIiwiZXhwIjo5OTk5OTk5OTk5LCJhdWQiOiJiYXRvbiIsImlzcyI6ImJhdG9uIn0.";

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![access_no_method_answers_without_a_good_token]
}

async fn access_no_method_answers_without_a_good_token(tenant: TestTenant) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for (what, channel, reason) in bad_tokens(&tenant)? {
        for method in methods()? {
            let seen = refusal_of(&call(&channel, &method, Vec::new()).await);
            if seen != (Code::Unauthenticated, Some(reason)) {
                wrong.push(format!("{what} at {}: {seen:?}", method.path));
            }
        }
    }
    anyhow::ensure!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

fn bad_tokens(tenant: &TestTenant) -> anyhow::Result<Vec<(&'static str, GrpcChannel, ErrorReason)>> {
    let now_us = Clock::real().now_us();
    let hour = Duration::from_hours(1);
    let caller = Caller::of_tenant(tenant.id().parse()?, "admin", Role::Admin);
    let forged = SigningKey::generate().mint(&caller, now_us, hour)?;
    let expired = tenant.key().mint(&caller, now_us - 7_200_000_000, hour)?;
    let good = tenant.token("admin", Role::Admin)?;
    let (head, signature) = good.rsplit_once('.').unwrap_or_default();
    let torn = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let with = |token: &str| tenant.anonymous().with_token(token);
    Ok(vec![
        ("no token", tenant.anonymous(), ErrorReason::TokenMissing),
        ("a forged token", with(&forged)?, ErrorReason::TokenInvalid),
        ("a torn token", with(&torn)?, ErrorReason::TokenInvalid),
        ("an unsigned token", with(UNSIGNED)?, ErrorReason::TokenInvalid),
        ("an expired token", with(&expired)?, ErrorReason::TokenExpired),
    ])
}
