//! The `PostgreSQL` server, and the tables of each service on it.

use std::time::Duration;

use baton_runtime::clock::micros;
use baton_runtime::config::Config;
use baton_runtime::{Clock, ServiceName};
use baton_store::{Db, ServerFacts, inbox};

use super::finding::Finding;
use crate::failure::chain;
use crate::services::migrations;
use crate::services::server_databases::for_command;

const OLDEST_VERSION: i32 = 140_000;
/// A deadline that one service sets is another one's to keep.
const MOST_SKEW: Duration = Duration::from_millis(500);
const ABOUT: &str = "database";

pub(super) async fn look(config: &Config, services: &[ServiceName], clock: &Clock) -> Vec<Finding> {
    let services: Vec<_> = services.iter().filter(|it| **it != ServiceName::Gateway).collect();
    let databases = match for_command(&config.database) {
        Ok(Some(databases)) if !services.is_empty() => databases,
        Ok(_) => return Vec::new(),
        Err(error) => return vec![Finding::wrong(ABOUT, error.to_string())],
    };
    let mut findings = Vec::new();
    for (at, service) in services.into_iter().enumerate() {
        let db = match databases.open(service.as_str()).await {
            Ok(db) => db,
            Err(error) => return vec![Finding::wrong(ABOUT, chain(&error.into()))],
        };
        if at == 0 {
            match db.server_facts().await {
                Ok(Some(facts)) => findings.extend(of_server(&facts, config, clock.wall_us())),
                Ok(None) => {}
                Err(error) => {
                    let text = format!(
                        "{}: is the URL in database.url_file right, and the server there?",
                        chain(&error.into())
                    );
                    return vec![Finding::wrong(ABOUT, text)];
                }
            }
        }
        findings.push(of_tables(&db, *service).await);
    }
    findings
}

fn of_server(facts: &ServerFacts, config: &Config, now_us: i64) -> Vec<Finding> {
    let mut findings = Vec::new();
    let version = format!("{}.{}", facts.version / 10_000, facts.version % 10_000);
    let mut wrong = |is_wrong: bool, text: String| {
        if is_wrong {
            findings.push(Finding::wrong(ABOUT, text));
        }
    };
    wrong(facts.version < OLDEST_VERSION, format!("PostgreSQL {version} is too old: 14 is the oldest that will do"));
    wrong(
        !matches!(facts.collation.as_str(), "C" | "C.UTF-8" | "C.utf8" | "POSIX"),
        format!(
            "its locale is {}: make it with `createdb --locale=C --encoding=UTF8 --template=template0`, because pages of lists go by the bytes of texts",
            facts.collation
        ),
    );
    wrong(
        facts.encoding != "UTF8",
        format!("its encoding is {}: make it with `createdb --encoding=UTF8`", facts.encoding),
    );
    wrong(facts.is_standby, "it is a standby, and takes no changes: name the primary in database.url_file".to_owned());
    let skew_us = (facts.now_us - now_us).abs();
    let skew = format!("its clock and this machine's differ by {} ms", skew_us / 1_000);
    wrong(skew_us > micros(MOST_SKEW), format!("{skew}: let both follow the same time (NTP)"));
    let connections = 5 * i64::try_from(config.database.connections + 1).unwrap_or(i64::MAX);
    wrong(
        connections > i64::from(facts.max_connections),
        format!(
            "five services want {connections} connections, and it has {}: raise its max_connections, or lower database.connections",
            facts.max_connections
        ),
    );
    if findings.is_empty() {
        findings.push(Finding::well(ABOUT, format!("PostgreSQL {version}, locale {}; {skew}", facts.collation)));
    }
    if facts.synchronous_commit == "off" {
        let text = "synchronous_commit is off: a power cut loses calls that were answered; turn it on";
        findings.push(Finding::wrong(ABOUT, text));
    }
    if facts.is_superuser {
        let text = "the role in database.url_file may do anything on the server: give services one of their own (`baton migrate --grant ROLE`)";
        findings.push(Finding::doubtful(ABOUT, text));
    }
    findings
}

async fn of_tables(db: &Db, service: ServiceName) -> Finding {
    let about = format!("tables of {service}");
    if let Err(error) = db.check_schema(migrations(service)).await {
        return Finding::wrong(about, chain(&error.into()));
    }
    match inbox::count_dead_letters(db).await {
        Ok(0) => Finding::well(about, "they fit"),
        Ok(count) => {
            let text = format!("they fit; {count} events could not be acted upon: its log says why (\"set aside\")");
            Finding::doubtful(about, text)
        }
        Err(error) => Finding::wrong(about, chain(&error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> ServerFacts {
        ServerFacts {
            version: 150_004,
            collation: "C".to_owned(),
            encoding: "UTF8".to_owned(),
            synchronous_commit: "on".to_owned(),
            max_connections: 100,
            is_standby: false,
            is_superuser: false,
            now_us: 1_000_000,
        }
    }

    #[test]
    fn a_server_that_will_do_is_one_line_and_each_fault_has_its_own() {
        let config = Config::default();
        let lines = |facts: &ServerFacts| -> Vec<_> {
            of_server(facts, &config, 1_000_000).iter().map(ToString::to_string).collect()
        };
        let well = lines(&facts());
        assert!(
            well.len() == 1 && well[0].starts_with("ok ") && well[0].contains("PostgreSQL 15.4, locale C"),
            "{well:?}"
        );
        let faulty = [
            (ServerFacts { version: 130_001, ..facts() }, "13.1 is too old"),
            (ServerFacts { collation: "en_US.UTF-8".to_owned(), ..facts() }, "createdb --locale=C"),
            (ServerFacts { encoding: "LATIN1".to_owned(), ..facts() }, "encoding is LATIN1"),
            (ServerFacts { is_standby: true, ..facts() }, "a standby"),
            (ServerFacts { now_us: 3_000_000, ..facts() }, "differ by 2000 ms"),
            (ServerFacts { max_connections: 20, ..facts() }, "want 55 connections, and it has 20"),
            (ServerFacts { synchronous_commit: "off".to_owned(), ..facts() }, "a power cut loses"),
        ];
        for (facts, expected) in faulty {
            let said = lines(&facts);
            assert!(said.iter().any(|it| it.starts_with("WRONG") && it.contains(expected)), "{said:?}");
        }
        let said = lines(&ServerFacts { is_superuser: true, ..facts() });
        assert!(said[0].starts_with("ok") && said[1].starts_with("look"), "{said:?}");
    }
}
