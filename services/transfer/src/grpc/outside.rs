//! Numbers outside as targets: what may be dialled is routing's to say (X3), and is on record before anything is.

use super::{TransferApi, commands::CommandRequest, place::as_asked};
use crate::{command_handler::not_found, convert::words::refusal_reason, live::Live};
use baton_api::{
    ApiError,
    common::v1::{ExternalTarget, Target as WireTarget, target::Target as Wire},
    presence::v1::{PickerTarget, TransferTarget},
    routing::v1::{ExternalNumber, ListExternalChoicesRequest, ResolveDialRequest},
    transfer::v1::OutsideOption,
};
use baton_domain::{ExternalRef, OutsideSort, Refusal, Target, permit::permit_outside_sort, policy::Method};
use baton_words::{TargetSort, TransferKind};
use std::sync::Arc;
use tonic::Status;

/// The fields of routing's request, as a target has them.
const AS_TARGET: &[(&str, &str)] = &[
    ("number", "interaction_id"),
    ("to", "target.external.number"),
    ("external_number_id", "target.external.external_number_id"),
];

/// Looks a number outside up: whether it may be dialled from the number that the call is about, and by which rule.
pub(super) async fn resolve(
    api: &TransferApi,
    asked: &CommandRequest,
    sent: &ExternalTarget,
) -> Result<Target, Status> {
    if sent.external_number_id.is_empty() == sent.number.is_empty() {
        let why = "give the id of an external number, or a number, and not both";
        return Err(ApiError::invalid_argument("target.external", why).into());
    }
    let live = api.handler.load_of(&asked.tenant, asked.id).await?.ok_or_else(|| not_found("interaction"))?;
    if !TargetSort::External.is_of(live.medium) {
        // Routing would be asked for the number of the call, and there is none.
        let refusal = Refusal::TargetNotOfMedium(TargetSort::External, live.medium);
        return Err(ApiError::failed_precondition(refusal_reason(refusal), refusal.to_string()).into());
    }
    let dial = dial(&live, &sent.number, &sent.external_number_id);
    let found = api.peers.routing.clone().resolve_dial(dial).await.map_err(|it| as_asked(&it, AS_TARGET))?.into_inner();
    let known = found.external_number;
    let number = known.as_ref().map_or(&sent.number, |known| &known.number);
    Ok(Target::External(Arc::new(ExternalRef {
        key: api.handler.tenants.pseudonym(&asked.tenant, number).into(),
        number: number.as_str().into(),
        allowed_by: found.allowed_by.into(),
        id: known.as_ref().map(|known| known.external_number_id.as_str().into()),
        name: known.as_ref().map(|known| known.name.as_str()).unwrap_or_default().into(),
        forwarding: known.is_some_and(|known| known.user_number_forwarding),
    })))
}

/// Whether a number may be dialled from the one that the call is about.
fn dial(live: &Live, to: &str, external_number_id: &str) -> ResolveDialRequest {
    ResolveDialRequest {
        tenant: live.tenant.to_string(),
        number: live.number.to_string(),
        to: to.to_owned(),
        external_number_id: external_number_id.to_owned(),
    }
}

/// To which numbers outside this kind can go in this call; none where the policy has it for none at all (B408).
pub(super) fn option(live: &Live, kind: TransferKind, method: &Method) -> Option<OutsideOption> {
    if !method.offer.sorts(live.medium).any(|sort| sort == TargetSort::External) {
        return None;
    }
    let permitted = |sort| permit_outside_sort(&live.state, &live.policy, kind, sort);
    let all = [OutsideSort::Forwarding, OutsideSort::NotForwarding, OutsideSort::Typed].map(permitted);
    let refusal = all.iter().all(Result::is_err).then(|| all[2].err()).flatten();
    let [forwarding, not_forwarding, typed] = all.map(|it| it.is_ok());
    Some(OutsideOption {
        forwarding,
        not_forwarding,
        typed,
        refusal: refusal.map(refusal_reason).unwrap_or_default().into(),
    })
}

/// What is asked of the external numbers for a picker.
pub(super) struct Choices<'a> {
    pub(super) live: &'a Live,
    pub(super) kind: TransferKind,
    pub(super) search: &'a str,
    pub(super) include_unavailable: bool,
    pub(super) page_size: i32,
    pub(super) token: &'a str,
    pub(super) last: Option<&'a Target>,
}

/// A page of external numbers with the next page's token: those that this kind can go to, and with `include_unavailable` the others too.
pub(super) async fn choices(api: &TransferApi, asked: &Choices<'_>) -> Result<(Vec<TransferTarget>, String), Status> {
    let request = ListExternalChoicesRequest {
        tenant: asked.live.tenant.to_string(),
        search: asked.search.to_owned(),
        page_size: asked.page_size,
        page_token: asked.token.to_owned(),
    };
    let found = api.peers.routing.clone().list_external_choices(request).await?.into_inner();
    let last = asked.last.and_then(Target::external).and_then(|external| external.id.as_deref());
    let targets = found.external_numbers.into_iter().map(|it| {
        let is_refused = found.refused_ids.contains(&it.external_number_id);
        let chosen_last = last == Some(&it.external_number_id);
        let shown = choice(asked, configured(it), chosen_last);
        TransferTarget { choosable: shown.choosable && !is_refused, ..shown }
    });
    let targets = targets.filter(|it| it.choosable || asked.include_unavailable).collect();
    Ok((targets, found.next_page_token))
}

/// The number that was chosen last, as it is now: one of the tenant's, or one that was typed in.
pub(super) async fn chosen_last(
    api: &TransferApi,
    asked: &Choices<'_>,
    own: &ExternalRef,
) -> Result<TransferTarget, Status> {
    let id = own.id.as_deref().unwrap_or_default();
    let typed = if id.is_empty() { &*own.number } else { "" };
    if id.is_empty() && typed.is_empty() {
        return Err(ApiError::not_found("number, which was forgotten with its customer").into());
    }
    let found = api.peers.routing.clone().resolve_dial(dial(asked.live, typed, id)).await?.into_inner();
    let typed = || ExternalTarget { number: typed.to_owned(), ..ExternalTarget::default() };
    Ok(choice(asked, found.external_number.map_or_else(typed, configured), true))
}

/// One of the tenant's numbers as a target.
fn configured(it: ExternalNumber) -> ExternalTarget {
    ExternalTarget {
        external_number_id: it.external_number_id,
        number: it.number,
        name: it.name,
        user_number_forwarding: it.user_number_forwarding,
    }
}

fn choice(asked: &Choices<'_>, own: ExternalTarget, chosen_last: bool) -> TransferTarget {
    let sort = match (own.external_number_id.is_empty(), own.user_number_forwarding) {
        (true, _) => OutsideSort::Typed,
        (false, true) => OutsideSort::Forwarding,
        (false, false) => OutsideSort::NotForwarding,
    };
    let choosable = permit_outside_sort(&asked.live.state, &asked.live.policy, asked.kind, sort).is_ok();
    let target = PickerTarget {
        name: if own.name.is_empty() { own.number.clone() } else { own.name.clone() },
        target: Some(WireTarget { target: Some(Wire::External(own)) }),
        available: true,
        ..PickerTarget::default()
    };
    TransferTarget { target: Some(target), choosable, chosen_last, ..TransferTarget::default() }
}

/// The display name of a number outside, or the number that was typed in.
pub(super) fn name(own: &ExternalRef) -> Arc<str> {
    if own.name.is_empty() { own.number.clone() } else { own.name.clone() }
}
