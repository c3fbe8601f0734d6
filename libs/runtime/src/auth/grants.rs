//! What of the telephone network the operator has granted a tenant (S7): without that, one customer of an installation could take
//! another's numbers, or show them as its own.

/// Prefixes of numbers in E.164 (`+322555`); `+` alone fits every number. The default grants nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Which numbers the tenant's admins may put.
    pub numbers: Vec<String>,
    /// Where its rules may lead.
    pub destinations: Vec<String>,
}

impl Grants {
    /// Any number, and anywhere.
    pub fn all() -> Self {
        Self { numbers: vec!["+".to_owned()], destinations: vec!["+".to_owned()] }
    }

    /// Whether the tenant may have this number.
    pub fn has_number(&self, number: &str) -> bool {
        fits(&self.numbers, number)
    }

    /// Whether the tenant may dial this number, or all numbers that begin so.
    pub fn has_destination(&self, beginning: &str) -> bool {
        fits(&self.destinations, beginning)
    }
}

fn fits(prefixes: &[String], text: &str) -> bool {
    prefixes.iter().any(|prefix| text.starts_with(prefix.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s7_a_grant_is_the_beginning_of_what_it_grants() {
        let grants = Grants { numbers: vec!["+322555".to_owned()], destinations: vec!["+32".to_owned()] };
        assert!(grants.has_number("+3225550100") && !grants.has_number("+3225440100"));
        assert!(!grants.has_number("+1322555010"), "the same digits further on");
        assert!(grants.has_destination("+322") && grants.has_destination("+32"));
        assert!(!grants.has_destination("+3"), "a rule that leads further than the grant");
        assert!(Grants::all().has_number("+1234567") && Grants::all().has_destination("+9"));
        assert!(!Grants::default().has_number("+3225550100") && !Grants::default().has_destination("+32"));
    }
}
