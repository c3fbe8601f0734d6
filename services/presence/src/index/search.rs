//! Search by what people type: parts of names, of addresses, and of the names of teams, with or without accents, in either case.
//!
//! Each agent is in the postings of all strings of one, two and three characters in their name and address. A word is looked for among those who
//! are in all postings of its own such strings: nobody is read who can't match, and one letter is as quick as ten.

use std::collections::{BTreeSet, HashMap};

use roaring::RoaringBitmap;

use super::orders::Person;

/// Characters of the longest strings that have postings.
const LONGEST: usize = 3;
/// Bits for a character: there are fewer than 2^21.
const BITS: u32 = 21;

/// Up to three characters.
type Gram = u64;

/// The words of a search, as [`baton_api::name::key`] has them; each has to be found.
#[derive(Debug, Clone, Default)]
pub(crate) struct TypedSearch(Vec<String>);

impl TypedSearch {
    pub(crate) fn new(text: &str) -> Self {
        Self(baton_api::name::key(text).split_whitespace().map(str::to_owned).collect())
    }

    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub(super) fn finds(&self, text: &str) -> bool {
        self.words().all(|word| text.contains(word))
    }
}

/// Who has which strings.
#[derive(Debug, Default)]
pub(super) struct Postings(HashMap<Gram, RoaringBitmap>);

impl Postings {
    pub(super) fn insert(&mut self, person: &Person) {
        for gram in grams_of(person) {
            self.0.entry(gram).or_default().insert(person.slot);
        }
    }

    pub(super) fn remove(&mut self, person: &Person) {
        for gram in grams_of(person) {
            if let Some(slots) = self.0.get_mut(&gram) {
                slots.remove(person.slot);
                if slots.is_empty() {
                    self.0.remove(&gram);
                }
            }
        }
    }

    /// Those who may have this word: they have all strings in it. Of a word of three characters and less, they do have it.
    pub(super) fn may_have(&self, word: &str) -> RoaringBitmap {
        let mut found: Vec<&RoaringBitmap> = Vec::new();
        for gram in longest_grams(word) {
            let Some(slots) = self.0.get(&gram) else { return RoaringBitmap::new() };
            found.push(slots);
        }
        // The rarest first: what is left gets small at once.
        found.sort_by_key(|slots| slots.len());
        let mut found = found.into_iter();
        let Some(mut slots) = found.next().cloned() else { return RoaringBitmap::new() };
        for more in found {
            slots &= more;
        }
        slots
    }
}

fn grams_of(person: &Person) -> BTreeSet<Gram> {
    let lines = person.text().lines();
    lines.flat_map(|line| (1..=LONGEST).flat_map(|length| grams(line, length))).collect()
}

/// The strings of three characters in a word; a shorter word is one itself.
fn longest_grams(word: &str) -> BTreeSet<Gram> {
    grams(word, word.chars().count().min(LONGEST)).into_iter().collect()
}

fn grams(text: &str, length: usize) -> Vec<Gram> {
    let chars: Vec<char> = text.chars().collect();
    chars
        .windows(length.max(1))
        .map(|gram| gram.iter().fold(0, |all, it| all << BITS | Gram::from(*it as u32)))
        .collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::ids::AgentId;
    use crate::record::AgentProfile;

    fn person(slot: u32, name: &str, email: &str) -> std::sync::Arc<Person> {
        let profile = AgentProfile { name: name.to_owned(), email: email.to_owned(), ..AgentProfile::default() };
        Person::new(AgentId(Uuid::from_u128(u128::from(slot))), slot, &profile)
    }

    #[test]
    fn a_part_of_a_name_or_an_address_is_found_in_whatever_spelling() {
        let mut postings = Postings::default();
        postings.insert(&person(1, "Zoë Müller", "zoe@acme.test"));
        postings.insert(&person(2, "Jürgen Ångström", ""));
        let found = |text: &str| {
            let search = TypedSearch::new(text);
            search.words().flat_map(|word| postings.may_have(word).into_iter().collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        assert_eq!(found("muller"), [1]);
        assert_eq!(found("ÜLL"), [1]);
        assert_eq!(found("angst"), [2]);
        assert_eq!(found("@acme"), [1]);
        assert_eq!(found("e"), [1, 2]);
        assert!(found("rz").is_empty(), "not from the end of the name into the address: Müller, zoe");
    }

    #[test]
    fn whoever_is_taken_out_is_in_no_posting() {
        let mut postings = Postings::default();
        let ada = person(1, "Ada", "ada@acme.test");
        postings.insert(&ada);
        postings.remove(&ada);
        assert!(postings.0.is_empty());
    }
}
