//! The known key that an unknown one may stand for.

use std::collections::BTreeSet;

/// The known key that differs least, if it is not another word altogether. Dots and underscores don't count: one too few is
/// the usual mistake.
pub(super) fn nearest<'a>(key: &str, known: &'a BTreeSet<String>) -> Option<&'a str> {
    let letters = squeeze(key);
    let distances = known.iter().map(|it| (distance(&letters, &squeeze(it)), it));
    let (distance, nearest) = distances.min()?;
    (distance * 3 <= letters.len()).then_some(nearest)
}

fn squeeze(key: &str) -> Vec<char> {
    key.chars().filter(|it| !matches!(it, '.' | '_')).collect()
}

/// The Levenshtein distance.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, a) in from.iter().enumerate() {
        let mut corner = above;
        let mut left = above + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(to) {
            let changed = corner + usize::from(a != b);
            corner = *cell;
            left = changed.min(corner + 1).min(left + 1);
            *cell = left;
        }
        row[0] = above + 1;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_differ_are_counted() {
        let count = |a: &str, b: &str| distance(&squeeze(a), &squeeze(b));
        for (a, b, expected) in
            [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("a_b", "a.b", 0)]
        {
            assert_eq!((count(a, b), count(b, a)), (expected, expected), "{a} {b}");
        }
    }

    #[test]
    fn another_word_altogether_is_not_what_was_meant() {
        let known = BTreeSet::from(["server.listen".to_owned(), "switch.listen".to_owned()]);
        assert_eq!(nearest("serverlisten", &known), Some("server.listen"));
        assert_eq!(nearest("swich.listen", &known), Some("switch.listen"));
        assert_eq!(nearest("foo", &known), None);
        assert_eq!(nearest("", &known), None);
    }
}
