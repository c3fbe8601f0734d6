//! B301: the picker shows each operator's media availability (chat, voice, video), can be searched by name, e-mail or team, and filtered by
//! site.

use baton_api::common::v1::{Medium, TransferKind};
use baton_api::presence::v1::{
    AgentState, DeleteSiteRequest, Obstacle, PickerTarget, Site, TargetFilter, TargetOrder, UpdateSiteRequest,
};
use baton_testkit::tenant::fresh;
use baton_testkit::{BOUND, PhoneBehaviour, TestTenant, eventually};
use tonic::Code;

use crate::harness::{Office, Scenario, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b301_each_operator_is_shown_with_their_media_their_site_and_why_they_cannot_be_had,
        b301_the_picker_finds_what_is_typed_and_keeps_to_a_site,
        b301_who_is_idle_for_longest_is_offered_first,
    ]
}

fn named<'a>(found: &'a [PickerTarget], name: &str) -> anyhow::Result<&'a PickerTarget> {
    found.iter().find(|it| it.name == name).ok_or_else(|| anyhow::anyhow!("{name} is not in {found:?}"))
}

/// Medium, available, why not.
fn media(target: &PickerTarget) -> Vec<(Medium, bool, Obstacle)> {
    target.media.iter().map(|it| (it.medium(), it.available, it.obstacle())).collect()
}

async fn b301_each_operator_is_shown_with_their_media_their_site_and_why_they_cannot_be_had(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "engagement").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let cleo = office.agent("Cleo").await?;
    let dan = office.agent_with("Dan", PhoneBehaviour::Manual).await?;
    office.tenant.agent("Eve").await?;
    office.tenant.team("Nobody", &[]).await?;
    let ghent = office.tenant.site("Ghent", &[&ben]).await?;
    cleo.set_state(AgentState::Away, "lunch").await?;
    let call = office.talking(&ada).await?;
    ada.start(&call.interaction_id, TransferKind::Cold, baton_testkit::desk::To::Agent(&dan)).await?;
    office.phones.until_ringing(dan.phone()).await?;

    let everybody = TargetFilter { include_unavailable: true, ..TargetFilter::default() };
    let found = eventually("Dan is reserved, and Ada free again", BOUND, async || {
        let found = ben.targets(everybody.clone()).await.map_err(|status| status.to_string())?;
        let dan = found.iter().find(|it| it.name == "Dan").map(PickerTarget::obstacle);
        if dan == Some(Obstacle::Reserved) { Ok(found) } else { Err(format!("{found:?}")) }
    })
    .await?;
    let media_of = |voice: Option<Obstacle>, others: Option<Obstacle>| {
        let of = |medium, obstacle: Option<Obstacle>| (medium, obstacle.is_none(), obstacle.unwrap_or_default());
        [of(Medium::Voice, voice), of(Medium::Chat, others), of(Medium::Video, others)]
    };
    for (name, obstacle) in [("Cleo", Obstacle::Away), ("Eve", Obstacle::Offline)] {
        let target = named(&found, name)?;
        let expected = media_of(Some(obstacle), Some(obstacle));
        anyhow::ensure!(media(target) == expected && target.obstacle() == obstacle, "{target:?}");
        anyhow::ensure!(!target.available, "{target:?}");
    }
    let reserved = named(&found, "Dan")?;
    let expected = media_of(Some(Obstacle::Reserved), None);
    anyhow::ensure!(media(reserved) == expected, "an offer of a call leaves Dan free to write: {reserved:?}");
    let team = named(&found, "Nobody")?;
    anyhow::ensure!(team.obstacle() == Obstacle::NoMembers && !team.available, "{team:?}");

    let seen_by_cleo = cleo.targets(everybody).await?;
    let target = named(&seen_by_cleo, "Ben")?;
    anyhow::ensure!((&target.site_id, target.site_name.as_str()) == (&ghent, "Ghent"), "{target:?}");
    anyhow::ensure!(media(target) == media_of(None, None) && target.available, "{target:?}");
    let chat = target.media.iter().find(|it| it.medium() == Medium::Chat);
    anyhow::ensure!(chat.is_some_and(|it| (it.capacity, it.in_use) == (3, 0)), "{chat:?}");

    office.phones.answer(dan.phone()).await?;
    eventually("Dan is in the call", BOUND, async || {
        let found =
            ben.targets(TargetFilter { search: "dan".to_owned(), include_unavailable: true, ..Default::default() });
        let found = found.await.map_err(|status| status.to_string())?;
        let is_in_call = |it: &PickerTarget| it.obstacle() == Obstacle::InCall;
        if found.iter().any(is_in_call) { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await
}

async fn b301_the_picker_finds_what_is_typed_and_keeps_to_a_site(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "engagement").await?;
    let ada = office.agent("Ada").await?;
    let zoe = office.agent("Zoë Müller").await?;
    let ben = office.agent("Ben Haddad").await?;
    let cleo = office.agent("Cleo").await?;
    office.tenant.team("Éclair", &[&ben, &cleo]).await?;
    let ghent = office.tenant.site("Ghent", &[&ben, &zoe]).await?;
    let other = office.tenant.site("Liège", &[&cleo]).await?;
    let call = office.talking(&ada).await?;
    let list = async |filter: TargetFilter| -> anyhow::Result<Vec<String>> {
        let found = ada.choices(&call.interaction_id, TransferKind::Cold, filter).await?;
        Ok(found.into_iter().map(|it| it.target.unwrap_or_default().name).collect())
    };
    let search = |text: &str| TargetFilter { search: text.to_owned(), ..TargetFilter::default() };
    for (typed, expected) in [
        ("zoe", vec!["Zoë Müller"]),
        ("MULL", vec!["Zoë Müller"]),
        ("müller zo", vec!["Zoë Müller"]),
        ("add", vec!["Ben Haddad"]),
        ("ben.haddad@", vec!["Ben Haddad"]),
        ("eclair", vec!["Ben Haddad", "Cleo", "Éclair"]),
        ("eclair leo", vec!["Cleo"]),
        ("q", vec![]),
    ] {
        let found = list(search(typed)).await?;
        anyhow::ensure!(found == expected, "{typed:?} finds {found:?}");
    }
    let at = |site_id: &str, text: &str| TargetFilter { site_id: site_id.to_owned(), ..search(text) };
    anyhow::ensure!(list(at(&ghent, "")).await? == ["Ben Haddad", "Zoë Müller"]);
    anyhow::ensure!(list(at(&other, "")).await? == ["Cleo"]);
    anyhow::ensure!(list(at(&ghent, "eclair")).await? == ["Ben Haddad"]);

    // A site is renamed for all who work there, and is kept as long as somebody does.
    let site = Site { site_id: other.clone(), name: "Luik".to_owned(), ..Site::default() };
    let request = UpdateSiteRequest { request_id: fresh(), site: Some(site), update_mask: None };
    office.tenant.directory()?.update_site(request).await?;
    let found = ada.targets(at(&other, "")).await?;
    anyhow::ensure!(found.len() == 1 && found[0].site_name == "Luik", "{found:?}");
    let request = DeleteSiteRequest { request_id: fresh(), site_id: other };
    let refused = office.tenant.directory()?.delete_site(request).await.err();
    anyhow::ensure!(refused.as_ref().map(tonic::Status::code) == Some(Code::FailedPrecondition), "{refused:?}");
    Ok(())
}

async fn b301_who_is_idle_for_longest_is_offered_first(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "engagement").await?;
    let ada = office.agent("Ada").await?;
    let zoe = office.agent("Zoe").await?;
    let ben = office.agent("Ben").await?;
    let cleo = office.agent("Cleo").await?;
    cleo.set_state(AgentState::Away, "").await?;
    let team_id = office.tenant.team("Support", &[&zoe, &ben, &cleo]).await?;
    let filter = |order: TargetOrder, include_unavailable| TargetFilter {
        team_id: team_id.clone(),
        order: order.into(),
        include_unavailable,
        ..TargetFilter::default()
    };
    let names = async |filter: TargetFilter| -> anyhow::Result<Vec<String>> {
        Ok(ada.targets(filter).await?.into_iter().map(|it| it.name).collect())
    };
    anyhow::ensure!(names(filter(TargetOrder::Unspecified, false)).await? == ["Ben", "Zoe"]);
    anyhow::ensure!(names(filter(TargetOrder::LongestIdle, false)).await? == ["Zoe", "Ben"]);
    anyhow::ensure!(names(filter(TargetOrder::LongestIdle, true)).await? == ["Zoe", "Ben", "Cleo"]);
    let away = TargetFilter { states: vec![AgentState::Away.into()], ..filter(TargetOrder::LongestIdle, false) };
    anyhow::ensure!(names(away).await? == ["Cleo"]);

    // Whoever was away begins anew.
    zoe.set_state(AgentState::Away, "").await?;
    zoe.set_state(AgentState::Available, "").await?;
    anyhow::ensure!(names(filter(TargetOrder::LongestIdle, false)).await? == ["Ben", "Zoe"]);
    Ok(())
}
