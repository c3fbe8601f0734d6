//! Skills as clients send them: what agents have, and what queues want.

use std::collections::BTreeSet;

use crate::ApiError;
use crate::common::v1::Skill;

const MAX_NAME: usize = 40;
const LEVELS: std::ops::RangeInclusive<i32> = 1..=10;

/// Checks skills, and puts them in the order of their names.
pub fn parse(field: &str, skills: &[Skill], most: usize) -> Result<Vec<Skill>, ApiError> {
    if skills.len() > most {
        return Err(ApiError::invalid_argument(field, format!("must be {most} at most")));
    }
    let mut names = BTreeSet::new();
    for (at, skill) in skills.iter().enumerate() {
        let refuse = |part: &str, why: String| Err(ApiError::invalid_argument(&format!("{field}[{at}].{part}"), why));
        if !is_name(&skill.name) {
            let why = format!("must be 1 to {MAX_NAME} of a-z 0-9 . _ - and begin with a letter or a digit");
            return refuse("name", why);
        }
        if !LEVELS.contains(&skill.level) {
            return refuse("level", format!("must be {} to {}", LEVELS.start(), LEVELS.end()));
        }
        if !names.insert(&skill.name) {
            return refuse("name", "is there twice".to_owned());
        }
    }
    let mut sorted = skills.to_vec();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sorted)
}

fn is_name(name: &str) -> bool {
    let begins_well = name.starts_with(|it: char| it.is_ascii_lowercase() || it.is_ascii_digit());
    let allowed = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"._-".contains(&it);
    name.len() <= MAX_NAME && begins_well && name.bytes().all(allowed)
}

/// Whether somebody has all that is wanted, each at its level at least.
pub fn suffices(has: &[Skill], wanted: &[Skill]) -> bool {
    wanted.iter().all(|wanted| has.iter().any(|it| it.name == wanted.name && it.level >= wanted.level))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skill(name: &str, level: i32) -> Skill {
        Skill { name: name.to_owned(), level }
    }

    #[test]
    fn skills_are_sorted_and_wrong_ones_named() {
        let sorted = parse("skills", &[skill("french", 7), skill("billing", 1)], 2).unwrap();
        assert_eq!(sorted, [skill("billing", 1), skill("french", 7)]);
        let wrong = [
            (vec![skill("", 1)], "skills[0].name"),
            (vec![skill("a", 1), skill("Fr", 1)], "skills[1].name"),
            (vec![skill("a", 0)], "skills[0].level"),
            (vec![skill("a", 11)], "skills[0].level"),
            (vec![skill("a", 1), skill("a", 2)], "skills[1].name"),
            (vec![skill("a", 1), skill("b", 2), skill("c", 2)], "skills"),
        ];
        for (skills, field) in wrong {
            assert_eq!(parse("skills", &skills, 2).unwrap_err().fields[0].0, field, "{skills:?}");
        }
    }

    #[test]
    fn all_that_is_wanted_is_needed_at_its_level() {
        let has = [skill("french", 7), skill("billing", 2)];
        assert!(suffices(&has, &[]) && suffices(&has, &[skill("french", 7)]));
        assert!(!suffices(&has, &[skill("french", 8)]) && !suffices(&has, &[skill("french", 1), skill("dutch", 1)]));
    }
}
