//! Names that people give to agents, teams and call flows: how they are checked, compared, searched and ordered (F10, S14).

use unicode_normalization::UnicodeNormalization as _;
use unicode_security::MixedScript as _;

use crate::ApiError;

/// The most characters in a name.
pub const MAX: usize = 100;

/// Reads a name that a client sent in `field`: 1 to [`MAX`] characters without the spaces around it, none of them invisible.
pub fn parse(field: &str, text: &str) -> Result<String, ApiError> {
    let name = text.trim();
    let refuse = |why: String| Err(ApiError::invalid_argument(field, why));
    if name.is_empty() || name.chars().count() > MAX {
        return refuse(format!("must be 1 to {MAX} characters"));
    }
    if let Some(hidden) = hidden(name) {
        return refuse(format!("has the character U+{:04X}, which nobody would see; leave it out", u32::from(hidden)));
    }
    Ok(name.to_owned())
}

/// What two names have in common that are the same for people, and what a search looks into: compatible forms, letters of either case and
/// letters with or without accents are one (NFKC and case folding, UAX 15 and 21); several spaces are one.
pub fn key(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    }
    let folded = name.nfkd().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    let bare: String = folded.filter(|it| !is_accent(*it) && !is_hidden(*it)).nfkc().collect();
    bare.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a name looks like (the skeleton of UTS 39): two names with one look may be [`confusable`].
pub fn look(name: &str) -> String {
    unicode_security::skeleton(&key(name)).collect()
}

/// Whether two names with one [`look`] are there to be taken for each other: they are written in other scripts (`Ada` with a Cyrillic `А`). What
/// looks alike in one script (`Burn` and `Bum`) is people's own affair.
pub fn confusable(name: &str, other: &str) -> bool {
    look(name) == look(other) && key(name) != key(other) && name.resolve_script_set() != other.resolve_script_set()
}

/// The first character that nobody would see, or that would turn the text around it. A joiner is seen in what it joins.
pub fn hidden(text: &str) -> Option<char> {
    let mut before = None;
    text.chars().find(|it| {
        let joins = is_joiner(*it) && before.is_some_and(|it: char| !it.is_ascii() && !it.is_whitespace());
        before = Some(*it);
        !joins && is_hidden(*it)
    })
}

/// Scripts and emoji need them: the two joiners, and the choice of a coloured picture.
fn is_joiner(it: char) -> bool {
    matches!(it, '\u{200c}' | '\u{200d}' | '\u{fe0f}')
}

/// Latin, Greek and Cyrillic letters are also searched without them; in other scripts marks are vowels.
fn is_accent(it: char) -> bool {
    matches!(it, '\u{300}'..='\u{36f}')
}

/// Control characters, what Unicode calls default ignorable (`DerivedCoreProperties`), separators of lines, and the blank Braille pattern.
fn is_hidden(it: char) -> bool {
    it.is_control()
        || matches!(it,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f10_names_that_are_one_for_people_have_one_key() {
        for (one, other) in [
            ("GROSS", "Groß"),
            ("ΟΔΥΣΣΕΥΣ", "Οδυσσεύς"),
            ("DİYARBAKIR", "diyarbakir"),
            ("ISIL", "ışıl"),
            ("Zoe\u{308}", "ZOË"),
            ("Ｂｅｎ", "ben"),
            ("  Ada   Byron ", "ada byron"),
            ("\u{1112}\u{1161}\u{11ab}", "한"),
            ("ﬁnn", "Finn"),
        ] {
            assert_eq!(key(one), key(other), "{one} {other}");
        }
        assert_ne!(key("कि"), key("की"), "vowels are no accents");
    }

    #[test]
    fn f10_a_name_that_nobody_would_see_or_that_turns_the_text_is_refused() {
        for bad in [
            "",
            "  ",
            "\u{200b}",
            "\u{feff}",
            "\u{3164}",
            "\u{202e}Ada",
            "A\u{200b}da",
            "A\u{200d}da",
            "\u{200d}",
            "a\nb",
            "\u{1b}[31mx",
            "\u{2800}",
            "\u{e0041}Ada",
        ] {
            assert!(parse("name", bad).is_err(), "{bad:?}");
        }
        assert!(parse("name", &"x".repeat(101)).is_err());
        for good in
            ["Ada", " Zoë Ünal ", "محمد", "می\u{200c}خواهم", "林", "👩\u{200d}🚒 Ada", "❤\u{fe0f}", "O'Neill-Smith"]
        {
            assert_eq!(parse("name", good).unwrap(), good.trim());
        }
    }

    #[test]
    fn s14_a_twin_in_another_script_is_confusable_and_a_neighbour_in_the_same_is_not() {
        for (one, other) in [("Ada", "Аda"), ("coco", "сосо"), ("Sales", "Sаles"), ("ADA", "аda")] {
            assert!(confusable(one, other), "{one} {other}");
        }
        for (one, other) in [("Ada", "ada"), ("Burn", "Bum"), ("Ada", "Ben"), ("Ada", "Àda"), ("Ада", "Ada B")] {
            assert!(!confusable(one, other), "{one} {other}");
        }
    }
}
