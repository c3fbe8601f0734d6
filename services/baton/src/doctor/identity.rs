//! Who is believed, and what is shown to others: the issuers of tokens, and the certificates.

use std::time::Duration;

use baton_runtime::auth::{IssuerReport, Issuers};
use baton_runtime::config::Config;
use baton_runtime::tls::{TlsIdentity, Validity};
use baton_runtime::{Clock, ServiceName};

use super::finding::Finding;
use crate::failure::chain;

/// A certificate that runs out within this time should have been renewed.
const SOON: Duration = Duration::from_hours(14 * 24);

pub(super) async fn look(config: &Config, services: &[ServiceName], clock: &Clock) -> Vec<Finding> {
    let mut findings: Vec<_> =
        config.tls.identities().map(|(key, identity)| of_certificate(key, &identity, clock)).collect();
    findings.extend(of_listeners(config, services));
    findings.extend(Issuers::look(&config.auth).await.into_iter().map(of_issuer));
    findings
}

fn of_certificate(key: &str, identity: &TlsIdentity, clock: &Clock) -> Finding {
    let (about, file) = ("certificate", identity.certificate.display());
    let renew = "renew it; Baton reads the file again when it changes";
    let (now, soon) = (identity.validity_at(clock.wall_us()), identity.validity_at(clock.wall_us() + micros(SOON)));
    match (now, soon) {
        (Err(error), _) | (_, Err(error)) => Finding::wrong(about, format!("{key}: {}", chain(&error.into()))),
        (Ok(Validity::Expired), _) => Finding::wrong(about, format!("{key}: {file} is no longer valid: {renew}")),
        (Ok(Validity::NotYet), _) => Finding::wrong(
            about,
            format!("{key}: {file} is not valid yet: look at the clocks of this machine and of who made it"),
        ),
        (_, Ok(Validity::Expired)) => {
            Finding::doubtful(about, format!("{key}: {file} runs out within 14 days: {renew}"))
        }
        _ => Finding::well(about, format!("{key}: {file} is valid")),
    }
}

/// Whether a listener can be opened with them: the key has to fit the certificate, and the names have to be names.
fn of_listeners(config: &Config, services: &[ServiceName]) -> Vec<Finding> {
    let public = config.tls.public().err();
    let internal = services.iter().find_map(|service| config.tls.of_service(*service).err());
    let errors = public.into_iter().chain(internal);
    errors.map(|error| Finding::wrong("listener", format!("tls: {}", chain(&error.into())))).collect()
}

fn of_issuer(report: IssuerReport) -> Finding {
    let (about, issuer) = ("issuer", report.issuer);
    let left_out = report.left_out.join("; ");
    match report.keys {
        Err(error) => Finding::wrong(
            about,
            format!(
                "{issuer}: its keys can't be fetched ({error}): see jwks_url or jwks_file, and whether this machine may connect"
            ),
        ),
        Ok(0) => Finding::wrong(
            about,
            format!("{issuer} publishes no key that can be used ({left_out}): its tokens are refused"),
        ),
        Ok(keys) if left_out.is_empty() => {
            let plural = if keys == 1 { "" } else { "s" };
            Finding::well(about, format!("{issuer} publishes {keys} key{plural}"))
        }
        Ok(keys) => Finding::doubtful(
            about,
            format!("{issuer} publishes {keys} keys that are used, and others that are not: {left_out}"),
        ),
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn look_at(settings: &[(&str, String)]) -> Vec<String> {
        let variables = settings.iter().map(|(key, value)| (format!("BATON_{key}"), value.clone()));
        let config = Config::load_from(None, variables).unwrap();
        look(&config, &[ServiceName::Transfer], &Clock::real()).await.iter().map(ToString::to_string).collect()
    }

    fn certificate(folder: &std::path::Path, name: &str, days: i64) -> [String; 2] {
        let mut params = rcgen::CertificateParams::new(vec!["baton.example".to_owned()]).unwrap();
        let day = |after: i64| rcgen::date_time_ymd(1970, 1, 1) + days_from_epoch(after);
        params.not_before = day(-30);
        params.not_after = day(days);
        let key = rcgen::KeyPair::generate().unwrap();
        let files = [folder.join(format!("{name}.crt")), folder.join(format!("{name}.key"))];
        std::fs::write(&files[0], params.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(&files[1], key.serialize_pem()).unwrap();
        files.map(|it| it.display().to_string())
    }

    fn days_from_epoch(after: i64) -> Duration {
        let now = Duration::from_micros(Clock::real().wall_us().unsigned_abs());
        let days = i64::try_from(now.as_secs() / 86_400).unwrap() + after;
        Duration::from_secs(86_400 * days.unsigned_abs())
    }

    #[tokio::test]
    async fn of_each_certificate_it_is_said_how_long_it_is_good() {
        let folder = tempfile::tempdir().unwrap();
        let mut others = Vec::new();
        for (days, expected) in [(90, "ok "), (5, "look"), (-2, "WRONG")] {
            let [certificate, key] = certificate(folder.path(), &days.to_string(), days);
            let said = look_at(&[("TLS__CERTIFICATE_FILE", certificate.clone()), ("TLS__KEY_FILE", key)]).await;
            assert!(said.len() == 1 && said[0].starts_with(expected), "{days}: {said:?}");
            others.push(certificate);
        }
        let [_, key] = certificate(folder.path(), "other", 90);
        let said = look_at(&[("TLS__CERTIFICATE_FILE", others[0].clone()), ("TLS__KEY_FILE", key)]).await;
        assert!(said.last().is_some_and(|it| it.starts_with("WRONG  listener")), "another's key: {said:?}");
    }

    #[tokio::test]
    async fn of_each_issuer_it_is_said_whether_its_keys_can_be_had() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.json");
        let issuer = || {
            let rule = "tenants = [\"acme\"], roles = [\"agent\"]";
            let file = file.display();
            let issuer = format!(
                "[{{ issuer = \"https://id.example\", audience = [\"baton\"], jwks_file = \"{file}\", {rule} }}]"
            );
            [("AUTH__ISSUERS", issuer)]
        };
        let said = look_at(&issuer()).await;
        assert!(said.len() == 1 && said[0].starts_with("WRONG  issuer"), "{said:?}");
        std::fs::write(&file, "{\"keys\": []}").unwrap();
        let said = look_at(&issuer()).await;
        assert!(said[0].contains("no key that can be used"), "{said:?}");
        // RFC 8037, A.2.
        let key = r#"{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        std::fs::write(&file, format!("{{\"keys\": [{key}]}}")).unwrap();
        let said = look_at(&issuer()).await;
        assert!(said[0].starts_with("ok ") && said[0].ends_with("publishes 1 key"), "{said:?}");
    }
}
