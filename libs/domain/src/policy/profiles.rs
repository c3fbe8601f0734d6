//! The profiles that are built in: each reproduces one product's rules.

/// A built-in policy.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// Its name.
    pub name: &'static str,
    /// The whole policy, with comments.
    pub toml: &'static str,
}

/// All of them.
pub const PROFILES: [Profile; 5] = [
    Profile { name: "lead_center", toml: include_str!("../../../../policies/lead_center.toml") },
    Profile { name: "helpdesk", toml: include_str!("../../../../policies/helpdesk.toml") },
    Profile { name: "engagement", toml: include_str!("../../../../policies/engagement.toml") },
    Profile { name: "aicc", toml: include_str!("../../../../policies/aicc.toml") },
    Profile { name: "user_transfer", toml: include_str!("../../../../policies/user_transfer.toml") },
];

/// The one of this name.
pub fn profile(name: &str) -> Option<Profile> {
    PROFILES.into_iter().find(|profile| profile.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_is_valid_and_bears_its_name() {
        for profile in PROFILES {
            let policy = crate::policy::parse(profile.name, "", vec![]).expect("a built-in profile is valid");
            assert_eq!(policy.name, profile.name);
        }
    }
}
