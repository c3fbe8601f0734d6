//! Baton's services by their names, and which of them call which.

use std::fmt;
use std::str::FromStr;

/// One of the services that may be a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceName {
    Presence,
    Recording,
    Routing,
    Telephony,
    Transfer,
    /// Where clients connect: it passes their calls on to the others, and reads events to them.
    Gateway,
}

impl ServiceName {
    pub const ALL: [Self; 6] =
        [Self::Presence, Self::Recording, Self::Routing, Self::Telephony, Self::Transfer, Self::Gateway];

    /// Those with a database of their own: all but the gateway.
    pub const STORING: [Self; 5] = [Self::Presence, Self::Recording, Self::Routing, Self::Telephony, Self::Transfer];

    /// As in addresses, configuration keys and the names of databases.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Presence => "presence",
            Self::Recording => "recording",
            Self::Routing => "routing",
            Self::Telephony => "telephony",
            Self::Transfer => "transfer",
            Self::Gateway => "gateway",
        }
    }

    /// Whom it calls: the whole table of who calls whom. Transfer and presence are called by everybody, who asks them whose tokens are
    /// accepted.
    pub const fn calls(self) -> &'static [Self] {
        match self {
            Self::Presence => &[Self::Transfer],
            Self::Recording | Self::Routing => &[Self::Presence, Self::Transfer],
            Self::Telephony => &[Self::Presence, Self::Recording, Self::Transfer],
            Self::Transfer => &[Self::Presence, Self::Recording, Self::Routing, Self::Telephony],
            Self::Gateway => &[Self::Presence, Self::Recording, Self::Routing, Self::Transfer],
        }
    }

    /// Who calls it.
    pub fn callers(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |caller| caller.calls().contains(&self))
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ServiceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|it| it.as_str()).collect();
            format!("there is no service {text}; there are {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for name in ServiceName::ALL {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        assert!("billing".parse::<ServiceName>().unwrap_err().contains("presence, recording"));
    }

    #[test]
    fn nobody_calls_the_gateway_or_themselves() {
        assert_eq!(ServiceName::Gateway.callers().count(), 0);
        assert!(ServiceName::ALL.iter().all(|it| !it.calls().contains(it)));
        assert_eq!(ServiceName::Telephony.callers().collect::<Vec<_>>(), [ServiceName::Transfer]);
    }

    #[test]
    fn deployments_open_the_network_by_the_same_table() {
        let text = include_str!("../../../deploy/who-calls-whom.json");
        let table: serde_json::Value = serde_json::from_str(text).unwrap();
        let callees = |it: &ServiceName| it.calls().iter().map(|callee| callee.as_str()).collect::<Vec<_>>();
        let here: serde_json::Map<String, serde_json::Value> =
            ServiceName::ALL.iter().map(|it| (it.to_string(), callees(it).into())).collect();
        assert_eq!(table.get("services"), Some(&serde_json::Value::Object(here)));
    }
}
