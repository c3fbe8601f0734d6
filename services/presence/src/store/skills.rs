//! Skills as a column has them: `name=level`, with a space between. Names have neither.

use baton_api::common::v1::Skill;

pub(crate) fn written(skills: &[Skill]) -> String {
    let all: Vec<_> = skills.iter().map(|it| format!("{}={}", it.name, it.level)).collect();
    all.join(" ")
}

pub(crate) fn read(text: &str) -> Vec<Skill> {
    let skill = |item: &str| {
        let (name, level) = item.split_once('=')?;
        Some(Skill { name: name.to_owned(), level: level.parse().ok()? })
    };
    text.split_whitespace().filter_map(skill).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let skills = [("billing", 2), ("french", 10)].map(|(name, level)| Skill { name: name.to_owned(), level });
        assert_eq!(read(&written(&skills)), skills);
        assert_eq!(read(""), []);
    }
}
