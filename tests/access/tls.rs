//! TLS from the configuration to the call: clients speak it, a new certificate needs no restart, and plain text is for this machine.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use anyhow::Context as _;
use baton_testkit::{BOUND, eventually};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::harness::{Scenario, alone};

const CONFIGURATION: &str = r#"
    [tls]
    certificate_file = "public.crt"
    key_file = "public.key"
"#;

pub(super) fn scenarios() -> Vec<Scenario> {
    alone![tls_is_spoken_by_clients_and_plain_text_is_for_this_machine]
}

/// A folder with certificates, and a Baton that uses them.
struct Site {
    binary: PathBuf,
    folder: tempfile::TempDir,
    child: Option<Child>,
    address: String,
}

impl Site {
    fn new(binary: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        Ok(Self { binary: binary.to_owned(), folder, child: None, address: String::new() })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    async fn start(&mut self) -> anyhow::Result<()> {
        let output = self.file("up.out");
        let up = ["up", "--exit-with-stdin", "--listen", "127.0.0.1:0", "--data", "data", "--config", "baton.toml"];
        let log = File::create(self.file("up.err"))?;
        let mut command = self.command(&up);
        self.child = Some(command.stdin(Stdio::piped()).stdout(File::create(&output)?).stderr(log).spawn()?);
        let said = eventually("`up` says that it speaks TLS", BOUND, async || {
            let said = fs::read_to_string(&output).unwrap_or_default();
            if said.contains("Clients speak TLS") { Ok(said) } else { Err(said) }
        })
        .await?;
        let address = said.lines().next().and_then(|line| line.split_whitespace().last()).context("no address")?;
        anyhow::ensure!(address.starts_with("https://"), "{address}");
        address.clone_into(&mut self.address);
        Ok(())
    }

    /// What a client says that trusts this authority alone.
    fn client(&self, trusted: &str, arguments: &[&str]) -> anyhow::Result<Output> {
        let mut command = self.command(arguments);
        command.args(["--server", &self.address]).env("SSL_CERT_FILE", self.file(trusted)).env_remove("SSL_CERT_DIR");
        Ok(command.output()?)
    }

    fn succeeds(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let said = self.client("ours.pem", arguments)?;
        anyhow::ensure!(said.status.success(), "{arguments:?}: {said:?}");
        Ok(())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // It ends with its standard input, and its switch with it.
        if let Some(mut child) = self.child.take() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

type Authority = Issuer<'static, KeyPair>;

fn authority(file: &Path) -> anyhow::Result<Authority> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    fs::write(file, params.self_signed(&key)?.pem())?;
    Ok(Issuer::new(params, key))
}

fn sign(site: &Site, authority: &Authority, name: &str, hosts: &[&str]) -> anyhow::Result<()> {
    let key = KeyPair::generate()?;
    let hosts: Vec<_> = hosts.iter().map(|it| (*it).to_owned()).collect();
    let certificate = CertificateParams::new(hosts)?.signed_by(&key, authority)?;
    fs::write(site.file(&format!("{name}.key")), key.serialize_pem())?;
    fs::write(site.file(&format!("{name}.crt")), certificate.pem())?;
    Ok(())
}

async fn tls_is_spoken_by_clients_and_plain_text_is_for_this_machine(binary: PathBuf) -> anyhow::Result<()> {
    let mut site = Site::new(&binary)?;
    let (ours, theirs) = (authority(&site.file("ours.pem"))?, authority(&site.file("theirs.pem"))?);
    fs::write(site.file("baton.toml"), CONFIGURATION)?;
    sign(&site, &ours, "public", &["127.0.0.1"])?;

    // Without the key it does not start, nor where others could listen in.
    fs::rename(site.file("public.key"), site.file("elsewhere.key"))?;
    let refused = site.command(&["up", "--config", "baton.toml", "--data", "data"]).output()?;
    anyhow::ensure!(refused.status.code() == Some(64), "{refused:?}");
    anyhow::ensure!(String::from_utf8_lossy(&refused.stderr).contains("public.key"), "{refused:?}");
    fs::rename(site.file("elsewhere.key"), site.file("public.key"))?;
    let refused = site.command(&["up", "--listen", "0.0.0.0:0", "--data", "data"]).output()?;
    anyhow::ensure!(refused.status.code() == Some(64), "{refused:?}");
    anyhow::ensure!(String::from_utf8_lossy(&refused.stderr).contains("tls.plain_text"), "{refused:?}");

    site.start().await?;
    // It says where it is before its switch is connected.
    eventually("it is ready", BOUND, async || {
        let said = site.client("ours.pem", &["health"]).map_err(|error| error.to_string())?;
        if said.status.success() { Ok(()) } else { Err(format!("{said:?}")) }
    })
    .await?;
    let as_admin = ["--data", "data", "--tenant", "acme"];
    site.succeeds(&[&["tenant", "create", "acme", "--entitlements", "warm_transfer"], &as_admin[..2]].concat())?;
    site.succeeds(&[&["team", "create", "Nights"], as_admin.as_slice()].concat())?;
    // Routing asks presence for the team.
    let step = "ring-team:Nights,20s,2m";
    site.succeeds(
        &[&["flow", "set", "Main", "--step", step, "--step", "voicemail:main"], as_admin.as_slice()].concat(),
    )?;

    // A new certificate, of another authority, needs no restart.
    anyhow::ensure!(!site.client("theirs.pem", &["health"])?.status.success());
    sign(&site, &theirs, "public", &["127.0.0.1"])?;
    eventually("the new certificate is shown", BOUND, async || {
        let said = site.client("theirs.pem", &["health"]).map_err(|error| error.to_string())?;
        if said.status.success() { Ok(()) } else { Err(format!("{said:?}")) }
    })
    .await?;
    anyhow::ensure!(!site.client("ours.pem", &["health"])?.status.success());
    let log = fs::read_to_string(site.file("up.err"))?;
    anyhow::ensure!(log.is_empty(), "{log}");
    Ok(())
}
