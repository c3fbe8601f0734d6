//! Names that people give to agents, teams and call flows: how they are checked, compared, searched and ordered (F10, S14).

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use unicode_security::MixedScript as _;

use crate::ApiError;

/// The most characters in a name.
pub const MAX: usize = 100;
/// The most marks on one letter: Hebrew needs three. A heap of them covers the lines around it.
const MAX_MARKS: usize = 3;

/// A sort of things whose names are compared with each other, within a tenant.
#[derive(Debug)]
pub struct NameRule {
    /// The field in which a client sends the name.
    field: &'static str,
    /// What has the name, for people.
    what: &'static str,
    /// Two may have one name, as people do.
    may_repeat: bool,
}

pub const AGENT: NameRule = NameRule { field: "agent.name", what: "agent", may_repeat: true };
/// Calls are handed to a team by its name.
pub const TEAM: NameRule = NameRule { field: "team.name", what: "team", may_repeat: false };
pub const EXTERNAL_NUMBER: NameRule =
    NameRule { field: "external_number.name", what: "external number", may_repeat: false };
pub const QUEUE: NameRule = NameRule { field: "queue.name", what: "queue", may_repeat: false };

pub const SITE: NameRule = NameRule { field: "site.name", what: "site", may_repeat: false };
pub const CALL_FLOW: NameRule = NameRule { field: "call_flow.name", what: "call flow", may_repeat: false };
/// So are IVR flows.
pub const IVR_FLOW: NameRule = NameRule { field: "ivr_flow.name", what: "IVR flow", may_repeat: false };

impl NameRule {
    /// Refuses a name that another has already, or that is there to be taken for another's (S14); `alike` are the names
    /// of the others of this sort that have the same [`look`] or the same [`shape`].
    pub fn refuse_twin(&self, name: &str, alike: &[String]) -> Result<(), ApiError> {
        let what = self.what;
        if let Some(other) = alike.iter().find(|it| !self.may_repeat && key(it) == key(name)) {
            let message = format!("There is a {what} {other} already. Choose another name, or change that {what}.");
            return Err(ApiError::already_exists(what, message));
        }
        let Some(other) = alike.iter().find(|it| confusable(name, it)) else { return Ok(()) };
        let why =
            format!("looks like the name of the {what} {other}, but is written in other characters; choose another");
        Err(ApiError::invalid_argument(self.field, why))
    }
}

/// Reads a name that a client sent in `field`: 1 to [`MAX`] characters without the spaces around it, none of them
/// invisible, and a letter or a digit among them. White space of any kind is one space.
pub fn parse(field: &str, text: &str) -> Result<String, ApiError> {
    let name = text.trim();
    let refuse = |why: String| Err(ApiError::invalid_argument(field, why));
    if name.is_empty() || name.chars().count() > MAX {
        return refuse(format!("must be 1 to {MAX} characters"));
    }
    if let Some(hidden) = hidden(name) {
        return refuse(format!("has the character U+{:04X}, which nobody would see; leave it out", u32::from(hidden)));
    }
    if !name.chars().any(|it| it.is_alphanumeric() && !is_combining_mark(it)) {
        return refuse("must have a letter or a digit".to_owned());
    }
    if has_heap_of_marks(name) {
        return refuse(format!("has more than {MAX_MARKS} accents or other marks on one letter; leave some out"));
    }
    Ok(spaced(name))
}

/// With one space in the place of white space of any kind and length.
fn spaced(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn has_heap_of_marks(name: &str) -> bool {
    let mut marks = 0;
    name.chars().any(|it| {
        marks = if is_combining_mark(it) { marks + 1 } else { 0 };
        marks > MAX_MARKS
    })
}

/// What two names have in common that are the same for people, and what a search looks into: compatible forms, letters of either case and
/// letters with or without accents are one (NFKC and case folding, UAX 15 and 21); several spaces are one.
pub fn key(name: &str) -> String {
    if name.is_ascii() {
        return spaced(&name.to_ascii_lowercase());
    }
    bare(&fold(&name.nfkd().collect::<String>()))
}

/// In one case: to upper case first, because several small letters have one capital (`ς`, `ı`).
fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// In compatible forms, without accents.
fn bare(text: &str) -> String {
    spaced(&text.nfkd().filter(|it| !is_accent(*it) && !is_hidden(*it)).nfkc().collect::<String>())
}

/// What a name looks like in lower case (the skeleton of UTS 39): two names with one look may be [`confusable`].
pub fn look(name: &str) -> String {
    unicode_security::skeleton(&key(name)).collect()
}

/// What a name looks like as it is written, in either case: capitals of two scripts may be alike when their small letters
/// are not (`В` and `в`). Two names with one shape may be [`confusable`] as well.
pub fn shape(name: &str) -> String {
    let seen: String = unicode_security::skeleton(&bare(name)).collect();
    // Twice, because what is seen of a capital is looked at as a small letter as well.
    unicode_security::skeleton(&fold(&seen)).collect()
}

/// Whether two names with one [`look`] or one [`shape`] are there to be taken for each other: they are written in other
/// scripts (`Ada` with a Cyrillic `А`), or in another form of the same letters (`𝐀da`). What looks alike in one script
/// (`Burn` and `Bum`) is people's own affair, and so are accents, and names that differ in nothing but their case.
pub fn confusable(name: &str, other: &str) -> bool {
    if key(name) == key(other) {
        return plain(name) != plain(other);
    }
    let alike = look(name) == look(other) || shape(name) == shape(other);
    alike && name.resolve_script_set() != other.resolve_script_set()
}

/// The name in one case and without accents, but with its letters in the form in which they were written.
fn plain(name: &str) -> String {
    let letters = fold(&name.nfd().collect::<String>());
    spaced(&letters.nfd().filter(|it| (!is_accent(*it) || is_overlay(*it)) && !is_hidden(*it)).collect::<String>())
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

/// Strokes through a letter: no language writes them as marks of their own.
fn is_overlay(it: char) -> bool {
    matches!(it, '\u{334}'..='\u{338}')
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
            ["Ada", " Zoë Ünal ", "محمد", "می\u{200c}خواهم", "林", "👩\u{200d}🚒 Ada", "❤\u{fe0f} 2", "O'Neill-Smith"]
        {
            assert_eq!(parse("name", good).unwrap(), good.trim());
        }
    }

    #[test]
    fn s14_a_name_of_marks_alone_or_with_a_heap_of_them_is_refused() {
        let heap = format!("Z{}", "\u{335}".repeat(99));
        for bad in ["\u{301}", "---", "\u{300} \u{301}", "❤\u{fe0f}", &heap, "Zo\u{308}\u{301}\u{302}\u{303}e"] {
            assert!(parse("name", bad).is_err(), "{bad:?}");
        }
        for good in ["Ngu\u{302}\u{303}n", "שָּׁלוֹם", "ᾧ", "र्कों", "7", "Zo\u{308}e"] {
            assert_eq!(parse("name", good).unwrap(), good);
        }
    }

    #[test]
    fn s14_every_white_space_is_one_space() {
        for text in ["Zed Q", "Zed\u{2009}Q", "Zed\u{3000}Q", " Zed \u{a0} Q\u{3000}"] {
            assert_eq!(parse("name", text).unwrap(), "Zed Q", "{text:?}");
        }
        for bad in ["Zed\tQ", "Zed\nQ", "Zed\u{2028}Q"] {
            assert!(parse("name", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn s14_a_twin_in_letters_that_are_alike_in_one_case_only_or_of_another_form_is_confusable() {
        for (one, other) in [
            ("Billing", "Вilling"),
            ("billing", "Вilling"),
            ("XT", "ХТ"),
            ("xt", "хТ"),
            ("Main", "Маin"),
            ("Ian", "іan"),
            ("Zed Q", "Ζеd Q"),
            ("Zed Q", "𝐙ed Q"),
            ("Zed Q", "Zed Q\u{335}"),
            ("Xena", "Ｘena"),
        ] {
            assert!(confusable(one, other) && confusable(other, one), "{one} {other}");
        }
        for (one, other) in [("Zoë", "Zoe"), ("Bjørn", "Bjorn"), ("Zed  Q", "zed q"), ("Groß", "GROSS"), ("ﬁnn", "ﬁnn")]
        {
            assert!(!confusable(one, other), "{one} {other}");
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
