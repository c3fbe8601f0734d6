//! What an update changes: the fields that its mask names.

use baton_api::presence::v1::{Agent, Site, Team};
use baton_api::{ApiError, mask, name};
use prost_types::FieldMask;

use super::parse;
use crate::ops::teams::MAX_MEMBERS;
use crate::record::{ProfileChange, TeamChange};

const AGENT_FIELDS: &[&str] = &["name", "email", "phone", "voicemail", "capacity", "skills", "site_id"];
const TEAM_FIELDS: &[&str] = &["name", "agent_ids"];
const SITE_FIELDS: &[&str] = &["name"];

pub(super) fn profile_change(agent: &Agent, mask: Option<&FieldMask>) -> Result<ProfileChange, ApiError> {
    let names = mask::named_fields(mask, AGENT_FIELDS, |field| match field {
        "name" => !agent.name.is_empty(),
        "email" => !agent.email.is_empty(),
        "phone" => !agent.phone.is_empty(),
        "capacity" => agent.capacity.is_some(),
        "skills" => !agent.skills.is_empty(),
        "site_id" => !agent.site_id.is_empty(),
        _ => agent.voicemail,
    })?;
    let has = |field| names.contains(&field);
    Ok(ProfileChange {
        name: has("name").then(|| name::parse("agent.name", &agent.name)).transpose()?,
        email: has("email").then(|| parse::email(&agent.email)).transpose()?,
        phone: has("phone").then(|| parse::phone(&agent.phone)).transpose()?,
        voicemail: has("voicemail").then_some(agent.voicemail),
        capacity: has("capacity").then(|| parse::capacity(agent.capacity.as_ref())).transpose()?,
        skills: has("skills").then(|| parse::skills(&agent.skills)).transpose()?,
        site: has("site_id").then(|| parse::site(&agent.site_id)).transpose()?,
    })
}

pub(super) fn team_change(team: &Team, mask: Option<&FieldMask>) -> Result<TeamChange, ApiError> {
    let names = mask::named_fields(mask, TEAM_FIELDS, |field| match field {
        "name" => !team.name.is_empty(),
        _ => !team.agent_ids.is_empty(),
    })?;
    let has = |field| names.contains(&field);
    let members = || parse::agent_ids("team.agent_ids", &team.agent_ids, MAX_MEMBERS);
    Ok(TeamChange {
        name: has("name").then(|| name::parse("team.name", &team.name)).transpose()?,
        members: has("agent_ids").then(members).transpose()?,
    })
}

/// The site's new name, if it is to have one.
pub(super) fn site_change(site: &Site, mask: Option<&FieldMask>) -> Result<Option<String>, ApiError> {
    let names = mask::named_fields(mask, SITE_FIELDS, |_| !site.name.is_empty())?;
    names.contains(&"name").then(|| name::parse("site.name", &site.name)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(paths: &[&str]) -> FieldMask {
        FieldMask { paths: paths.iter().map(|it| (*it).to_owned()).collect() }
    }

    #[test]
    fn an_empty_mask_is_the_fields_that_are_set_and_a_named_one_may_be_emptied() {
        let agent = Agent { name: "Ada".to_owned(), ..Agent::default() };
        let name = ProfileChange { name: Some("Ada".to_owned()), ..ProfileChange::default() };
        assert_eq!(profile_change(&agent, None), Ok(name.clone()));
        assert_eq!(profile_change(&agent, Some(&of(&[]))), Ok(name));
        let emptied = ProfileChange { email: Some(String::new()), voicemail: Some(false), ..ProfileChange::default() };
        assert_eq!(profile_change(&agent, Some(&of(&["email", "voicemail"]))), Ok(emptied));
        let nobody = TeamChange { name: None, members: Some([].into()) };
        assert_eq!(team_change(&Team::default(), Some(&of(&["agent_ids"]))), Ok(nobody));
    }

    #[test]
    fn only_the_named_fields_are_looked_at() {
        let agent = Agent { name: "Ada".to_owned(), phone: "no phone".to_owned(), ..Agent::default() };
        assert!(profile_change(&agent, Some(&of(&["name"]))).is_ok());
        let all = profile_change(&agent, Some(&of(&["*"]))).unwrap_err();
        assert_eq!(all.fields[0].0, "agent.phone");
    }

    #[test]
    fn a_field_that_cannot_be_changed_and_an_update_of_nothing_are_refused() {
        let agent = Agent { name: "Ada".to_owned(), ..Agent::default() };
        for path in ["agent_id", "etag", "team", "agent.name"] {
            let error = profile_change(&agent, Some(&of(&["name", path]))).unwrap_err();
            assert_eq!(error.fields[0].0, "update_mask", "{path}");
        }
        assert_eq!(team_change(&Team::default(), None).unwrap_err().fields[0].0, "update_mask");
    }
}
