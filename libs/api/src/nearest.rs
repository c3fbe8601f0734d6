//! The known word that an unknown one may stand for.

use std::collections::BTreeSet;

/// The known word that differs least, if it is not another word altogether. Dots and underscores don't count: one too few is
/// the usual mistake.
pub fn nearest<'a>(word: &str, known: &'a BTreeSet<String>) -> Option<&'a str> {
    let letters = squeeze(word);
    let distances = known.iter().map(|it| (strsim::levenshtein(&letters, &squeeze(it)), it));
    let (distance, nearest) = distances.min()?;
    (distance * 3 <= letters.chars().count()).then_some(nearest)
}

fn squeeze(word: &str) -> String {
    word.replace(['.', '_'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_word_altogether_is_not_what_was_meant() {
        let known = BTreeSet::from(["server.listen".to_owned(), "switch.listen".to_owned()]);
        assert_eq!(nearest("serverlisten", &known), Some("server.listen"));
        assert_eq!(nearest("swich.listen", &known), Some("switch.listen"));
        assert_eq!(nearest("foo", &known), None);
        assert_eq!(nearest("", &known), None);
    }
}
