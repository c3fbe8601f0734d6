//! `[tls]`: the files of each listener. `default.toml` describes the keys.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

use super::sections::optional_path;
use crate::service_name::ServiceName;
use crate::tls::{ClientTls, ServerTls, TlsIdentity, TlsSetupError};

/// `[tls]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// `None`: plain text.
    #[serde(deserialize_with = "optional_path")]
    pub certificate_file: Option<PathBuf>,
    #[serde(deserialize_with = "optional_path")]
    pub key_file: Option<PathBuf>,
    /// `None`: plain text between services.
    #[serde(deserialize_with = "optional_path")]
    pub internal_certificate_file: Option<PathBuf>,
    #[serde(deserialize_with = "optional_path")]
    pub internal_key_file: Option<PathBuf>,
    #[serde(deserialize_with = "optional_path")]
    pub internal_ca_file: Option<PathBuf>,
    /// Whose certificates may connect to a service.
    pub internal_names: Vec<String>,
    /// Plain text is consented to where other machines can hear it.
    pub plain_text: bool,
}

impl TlsConfig {
    /// What is wrong, each with its key and what to do.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.certificate_file.is_some() != self.key_file.is_some() {
            problems
                .push("tls.certificate_file and tls.key_file: one of them is missing; name both, or none".to_owned());
        }
        let internal = [&self.internal_certificate_file, &self.internal_key_file, &self.internal_ca_file];
        let named = internal.iter().filter(|it| it.is_some()).count() + usize::from(!self.internal_names.is_empty());
        if named != 0 && named != 4 {
            problems.push(
                "tls.internal_certificate_file, internal_key_file, internal_ca_file and internal_names: something is missing; write all of \
                 them, or none"
                    .to_owned(),
            );
        }
        problems
    }

    /// Of the public listener; `None` is plain text.
    pub fn public(&self) -> Result<Option<ServerTls>, TlsSetupError> {
        identity(self.certificate_file.as_ref(), self.key_file.as_ref()).map(ServerTls::open).transpose()
    }

    /// Of the listener of a service that is a process of its own: only who calls it may connect. A name in a certificate begins with that of its
    /// service, for example `transfer.baton.example`.
    pub fn of_service(&self, service: ServiceName) -> Result<Option<ServerTls>, TlsSetupError> {
        let Some((identity, ca)) = self.internal_identity().zip(self.internal_ca_file.clone()) else { return Ok(None) };
        ServerTls::for_named(identity, ca, &self.names_of_callers(service)).map(Some)
    }

    /// Every certificate that is named, with the key that names it.
    pub fn identities(&self) -> impl Iterator<Item = (&'static str, TlsIdentity)> {
        let public = identity(self.certificate_file.as_ref(), self.key_file.as_ref());
        let public = public.map(|it| ("tls.certificate_file", it));
        public.into_iter().chain(self.internal_identity().map(|it| ("tls.internal_certificate_file", it)))
    }

    /// Whether services show each other certificates.
    pub fn has_internal(&self) -> bool {
        self.internal_certificate_file.is_some()
    }

    fn names_of_callers(&self, service: ServiceName) -> Vec<String> {
        let is_callers = |name: &&String| {
            let first = name.split('.').next().unwrap_or_default();
            service.callers().any(|caller| caller.as_str() == first)
        };
        self.internal_names.iter().filter(is_callers).cloned().collect()
    }

    /// With which services connect to each other.
    pub fn internal_client(&self) -> ClientTls {
        ClientTls { ca_file: self.internal_ca_file.clone(), identity: self.internal_identity() }
    }

    fn internal_identity(&self) -> Option<TlsIdentity> {
        identity(self.internal_certificate_file.as_ref(), self.internal_key_file.as_ref())
    }

    /// Why `up` is refused with this: its services call each other within the process, and its one listener must not speak plain text to other
    /// machines.
    pub fn refusal_of_up(&self, listen: SocketAddr) -> Option<String> {
        let unused = "the tls.internal_… keys: in `up` the services are one process and call each other inside it\n  Leave these keys to `baton serve`.";
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        self.has_internal().then(|| unused.to_owned()).or_else(|| self.refusal(listen, nowhere))
    }

    /// Why a listener is refused that would speak plain text to other machines; `None` if it does not, or if that is consented to.
    pub fn refusal(&self, public: SocketAddr, internal: SocketAddr) -> Option<String> {
        let listeners = [
            ("server.listen", public, self.certificate_file.is_some(), "tls.certificate_file and tls.key_file"),
            ("server.internal_listen", internal, self.internal_certificate_file.is_some(), "the tls.internal_… keys"),
        ];
        let exposed =
            listeners.into_iter().find(|(_, at, is_tls, _)| !(self.plain_text || *is_tls || at.ip().is_loopback()));
        exposed.map(|(key, at, _, files)| {
            format!(
                "{key}: on {at} other machines can connect, and in plain text tokens and calls can be read on the way\n  Write {files}, or put a \
                 TLS proxy in front and write tls.plain_text = true, or listen on 127.0.0.1."
            )
        })
    }
}

fn identity(certificate: Option<&PathBuf>, key: Option<&PathBuf>) -> Option<TlsIdentity> {
    let (certificate, key) = certificate.zip(key)?;
    Some(TlsIdentity { certificate: certificate.clone(), key: key.clone() })
}

#[cfg(test)]
mod tests {
    use crate::ServiceName;
    use crate::config::Config;

    fn load(variables: &[(&str, &str)]) -> Result<Config, String> {
        let variables = variables.iter().map(|(key, value)| (format!("BATON_TLS__{key}"), (*value).to_owned()));
        Config::load_from(None, variables).map_err(|error| error.to_string())
    }

    #[test]
    fn half_of_the_files_is_refused() {
        assert!(load(&[("CERTIFICATE_FILE", "a")]).unwrap_err().starts_with("tls.certificate_file and tls.key_file: "));
        assert!(load(&[("CERTIFICATE_FILE", "a"), ("KEY_FILE", "b")]).is_ok());
        let internal = [
            ("INTERNAL_CERTIFICATE_FILE", "a"),
            ("INTERNAL_KEY_FILE", "b"),
            ("INTERNAL_CA_FILE", "c"),
            ("INTERNAL_NAMES", "[\"transfer.baton\"]"),
        ];
        assert!(load(&internal).is_ok());
        for missing in 0..internal.len() {
            let rest: Vec<_> = (0..internal.len()).filter(|at| *at != missing).map(|at| internal[at]).collect();
            assert!(load(&rest).unwrap_err().contains("something is missing"), "{missing}");
        }
    }

    #[test]
    fn a_service_admits_those_that_call_it_and_no_others() {
        let names: Vec<_> = ServiceName::ALL.iter().map(|it| format!("\"{it}.baton.example\"")).collect();
        let names = format!("[{}, \"transferring.baton.example\"]", names.join(", "));
        let files = [("INTERNAL_CERTIFICATE_FILE", "a"), ("INTERNAL_KEY_FILE", "b"), ("INTERNAL_CA_FILE", "c")];
        let tls = load(&[files.as_slice(), &[("INTERNAL_NAMES", &names)]].concat()).unwrap().tls;
        assert_eq!(tls.names_of_callers(ServiceName::Telephony), ["transfer.baton.example"]);
        assert_eq!(
            tls.names_of_callers(ServiceName::Recording),
            ["telephony.baton.example", "transfer.baton.example", "gateway.baton.example"]
        );
        assert!(tls.names_of_callers(ServiceName::Gateway).is_empty());
    }

    #[test]
    fn plain_text_is_for_this_machine_unless_it_is_consented_to() {
        let refusal = |variables: &[(&str, &str)], public: &str, internal: &str| {
            load(variables).unwrap().tls.refusal(public.parse().unwrap(), internal.parse().unwrap())
        };
        let (near, far) = ("127.0.0.1:0", "0.0.0.0:7400");
        assert_eq!(refusal(&[], near, "[::1]:1"), None);
        assert!(refusal(&[], far, near).unwrap().starts_with("server.listen: on 0.0.0.0:7400 "));
        assert!(refusal(&[], near, "192.0.2.1:1").unwrap().starts_with("server.internal_listen: "));
        assert!(refusal(&[], "[::]:1", near).is_some());
        assert_eq!(refusal(&[("PLAIN_TEXT", "true")], far, far), None);
        let public = [("CERTIFICATE_FILE", "a"), ("KEY_FILE", "b")];
        assert_eq!(refusal(&public, far, near), None);
        assert!(refusal(&public, far, far).unwrap().starts_with("server.internal_listen: "), "each for itself");
    }
}
