//! Dear numbers: a rule that is made for a country does not allow them, and one that names more does.
//!
//! Which numbers are dear is read from the metadata of libphonenumber. A country code stands for the country that mainly has it: +1 for the
//! United States, and not for Jamaica. A number that the metadata do not know in that country is dear, too: it may be of a range that nobody has
//! been given, which is how calls are made to earn money, or be written so that the network dials another.

use phonenumber::Type;
use phonenumber::metadata::{DATABASE, Metadata};

/// Inmarsat, the global mobile satellite systems, and the international networks, of which most are such (ITU-T E.164, annex).
const SATELLITE: [&str; 4] = ["870", "881", "882", "883"];
const LONGEST_CODE: usize = 3;
const SPECIAL_RATE: [Type; 5] = [Type::PremiumRate, Type::SharedCost, Type::PersonalNumber, Type::Pager, Type::Uan];
const ORDINARY: [Type; 5] = [Type::FixedLine, Type::Mobile, Type::TollFree, Type::Voip, Type::Voicemail];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dear {
    Satellite,
    SpecialRate,
    /// Of another country with the same code, or of no known range.
    NotOfTheCountry,
}

impl Dear {
    /// What it is, and what a rule must name.
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Satellite => "It is a satellite number, and no rule allows it that names its whole code",
            Self::SpecialRate => {
                "It is a dear number (premium rate, shared cost, personal, pager, or of a company for the whole country), and no rule allows it \
                 that names more than the country code"
            }
            Self::NotOfTheCountry => {
                "It is not known as a number of the country that its code mainly stands for, and no rule allows it that names more than the code"
            }
        }
    }
}

/// How a number is dear that the rule, which fits, was not made for.
pub(super) fn not_named(rule: &str, number: &str) -> Option<Dear> {
    let (rule, number) = (rule.trim_start_matches('+'), number.trim_start_matches('+'));
    let code = country_code(number);
    let names_more = rule.len() > code.map_or(LONGEST_CODE, str::len);
    match code {
        Some(code) if SATELLITE.contains(&code) => (rule.len() < code.len()).then_some(Dear::Satellite),
        _ if names_more => None,
        Some(code) => in_country(code, &number[code.len()..]),
        None => Some(Dear::NotOfTheCountry),
    }
}

/// The code that the number begins with: no code begins with another.
fn country_code(number: &str) -> Option<&str> {
    let beginnings = (1..=LONGEST_CODE).filter_map(|len| number.get(..len));
    beginnings.into_iter().find(|it| main_country(it).is_some())
}

/// The database has it first.
fn main_country(code: &str) -> Option<&'static Metadata> {
    DATABASE.by_code(&code.parse::<u16>().ok()?)?.into_iter().next()
}

fn in_country(code: &str, national: &str) -> Option<Dear> {
    let country = main_country(code)?;
    let is = |class: &Type| country.descriptors().get(*class).is_some_and(|it| it.is_match(national));
    if SPECIAL_RATE.iter().any(is) {
        Some(Dear::SpecialRate)
    } else if ORDINARY.iter().any(is) {
        None
    } else {
        Some(Dear::NotOfTheCountry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that the metadata give as examples of these classes.
    fn examples(classes: &'static [Type]) -> impl Iterator<Item = (&'static Metadata, String)> {
        let of = |country: &'static Metadata| {
            let examples = classes.iter().filter_map(|class| country.descriptors().get(*class)?.example());
            examples.map(move |national| (country, format!("+{}{national}", country.country_code())))
        };
        DATABASE.iter().flat_map(of)
    }

    fn code_of(country: &Metadata) -> String {
        format!("+{}", country.country_code())
    }

    #[test]
    fn x3_a_special_rate_number_of_any_country_is_dear() {
        for (country, number) in examples(&SPECIAL_RATE) {
            let code = code_of(country);
            assert!(not_named(&code, &number).is_some(), "{number}");
            let longer = &number[..=code.len()];
            if !SATELLITE.contains(&&code[1..]) {
                assert_eq!(not_named(longer, &number), None, "{number}");
            }
        }
    }

    #[test]
    fn x3_an_ordinary_number_is_dear_only_where_another_country_has_its_code() {
        let mut others = 0;
        for (country, number) in examples(&ORDINARY) {
            let code = code_of(country);
            let is_main = main_country(&code[1..]).is_some_and(|it| it.id() == country.id());
            match not_named(&code, &number) {
                None => {}
                Some(dear) => {
                    assert!(!is_main && dear == Dear::NotOfTheCountry, "{number} {dear:?}");
                    others += 1;
                }
            }
        }
        assert!(others > 50, "{others}");
    }

    #[test]
    fn x3_what_a_rule_for_the_country_does_not_allow() {
        for (rule, number, dear) in [
            ("+32", "+3290212345", Dear::SpecialRate),
            ("+32", "+3278151234", Dear::SpecialRate),
            ("+44", "+447012345678", Dear::SpecialRate),
            ("+44", "+443012345678", Dear::SpecialRate),
            ("+44", "+447640123456", Dear::SpecialRate),
            ("+7", "+78091234567", Dear::SpecialRate),
            ("+979", "+979112345678", Dear::SpecialRate),
            ("+808", "+80812345678", Dear::SpecialRate),
            ("+87", "+870773111632", Dear::Satellite),
            // Belgian ranges that are not given out, written as premium rate.
            ("+32", "+3270123456", Dear::NotOfTheCountry),
            ("+32", "+3278123456", Dear::NotOfTheCountry),
            ("+1", "+18765551234", Dear::NotOfTheCountry),
            ("+1", "+12425551234", Dear::NotOfTheCountry),
            ("+1", "+14165550100", Dear::NotOfTheCountry),
            ("+7", "+77012345678", Dear::NotOfTheCountry),
            ("+44", "+441481256789", Dear::NotOfTheCountry),
            // A zero too many, which networks may leave out.
            ("+44", "+4409098765432", Dear::NotOfTheCountry),
            // No country's code.
            ("+999", "+9991234567", Dear::NotOfTheCountry),
        ] {
            assert_eq!(not_named(rule, number), Some(dear), "{number}");
            let opens = if dear == Dear::Satellite { "+870" } else { &number[..=rule.len()] };
            assert_eq!(not_named(opens, number), None, "{number}");
        }
    }

    #[test]
    fn x3_ordinary_numbers_need_no_longer_rule() {
        for number in [
            "+32470000001",
            "+3225550100",
            "+12025550100",
            "+18005550100",
            "+33612345678",
            "+390612345678",
            "+74951234567",
        ] {
            assert_eq!(not_named("+", number), None, "{number}");
        }
    }
}
