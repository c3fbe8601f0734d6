//! Where a token has something: the name of a claim, or a JSON pointer to what is inside one.

use serde_json::Value;

/// `groups`, `https://acme.example/tenant`, or `/realm_access/roles`: what begins with `/` is a JSON pointer (RFC 6901), in which `~1` stands
/// for `/` and `~0` for `~`; everything else is the whole name of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClaimPath(String);

impl ClaimPath {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// What the claims have there.
    pub(super) fn of<'a>(&self, claims: &'a Value) -> Option<&'a Value> {
        if self.0.starts_with('/') { claims.pointer(&self.0) } else { claims.get(&self.0) }
    }

    /// The text that the claims have there; `None` if there is none, or something else.
    pub(super) fn text<'a>(&self, claims: &'a Value) -> Option<&'a str> {
        self.of(claims)?.as_str()
    }

    /// The text or texts that the claims have there.
    pub(super) fn texts<'a>(&self, claims: &'a Value) -> Vec<&'a str> {
        match self.of(claims) {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_is_found_by_its_name_and_what_is_inside_one_by_a_pointer() {
        let claims = json!({
            "sub": "eve", "a.b": "dot", "https://acme.example/tenant": "acme",
            "realm_access": {"roles": ["agent", 5, "lead"]}, "x/y": {"~": "deep"},
        });
        let texts = |path: &str| ClaimPath::new(path).texts(&claims).join(",");
        for (path, found) in [
            ("sub", "eve"),
            ("/sub", "eve"),
            ("a.b", "dot"),
            ("https://acme.example/tenant", "acme"),
            ("/realm_access/roles", "agent,lead"),
            ("/realm_access/roles/2", "lead"),
            ("/x~1y/~0", "deep"),
            ("realm_access", ""),
            ("realm_access/roles", ""),
            ("nothing", ""),
        ] {
            assert_eq!(texts(path), found, "{path}");
        }
        assert_eq!(ClaimPath::new("/realm_access/roles").text(&claims), None, "a list is no text");
    }
}
