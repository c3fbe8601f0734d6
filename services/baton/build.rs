//! The version that `baton version` prints: the crate's, and in a release build the commit.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=BUILT_COMMIT");
    let commit = given().or_else(of_the_working_copy).map(|commit| format!(" ({commit})")).unwrap_or_default();
    println!("cargo:rustc-env=BUILT_VERSION={}{commit}", env!("CARGO_PKG_VERSION"));
}

/// For those who build without a working copy.
#[expect(clippy::disallowed_methods, reason = "the settings of a build are no configuration")]
fn given() -> Option<String> {
    std::env::var("BUILT_COMMIT").ok().filter(|commit| !commit.is_empty())
}

/// Of a release build alone: whoever works on the code need not link anew after each commit.
#[expect(clippy::disallowed_methods, reason = "the settings of a build are no configuration")]
fn of_the_working_copy() -> Option<String> {
    std::env::var("PROFILE").ok().filter(|profile| profile == "release")?;
    println!("cargo:rerun-if-changed={}", git(&["rev-parse", "--git-path", "logs/HEAD"])?);
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
