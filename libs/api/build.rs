//! Compiles the proto files below `proto/` without protoc, and writes the module tree for their packages.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const PROTO_ROOT: &str = "../../proto";

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script by its environment")]
fn main() -> Result<(), Box<dyn Error>> {
    // `compile_fds` does not know the files, so it does not print these lines for cargo.
    println!("cargo:rerun-if-changed={PROTO_ROOT}");
    println!("cargo:rerun-if-changed=build.rs");
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);

    let mut files = Vec::new();
    collect(Path::new(PROTO_ROOT), &mut files)?;
    files.sort();

    let set = protox::compile(&files, [PROTO_ROOT])?;
    fs::write(out_dir.join("baton_descriptor.bin"), without_comments(&files)?)?;
    let packages = set
        .file
        .iter()
        .map(|file| file.package().to_owned())
        .filter(|package| package.starts_with("baton."))
        .collect::<Vec<_>>();
    fs::write(out_dir.join("modules.rs"), modules(&packages)?)?;
    // Clients are built over a channel of `baton_runtime::client`, which adds token, trace and deadline. A generated `connect`
    // would bypass it, and would clash with the method of that name in `PresenceService`.
    // With type names, so that an error can carry any message of the contract.
    let mut prost = tonic_prost_build::Config::new();
    prost.enable_type_names();
    for answer in ["ListTargetsResponse", "WatchTargetsResponse"] {
        prost.extern_path(format!(".baton.presence.v1.{answer}"), format!("crate::picker::{answer}"));
    }
    let code = tonic_prost_build::configure().build_transport(false).bytes(".").btree_map(".");
    code.compile_fds_with_config(set, prost)?;
    Ok(())
}

/// All `.proto` files below `folder`.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|it| it == "proto") {
            files.push(path);
        }
    }
    Ok(())
}

/// The descriptors without source positions and comments, which reflection does not serve: a third of the size. Encoded by the
/// compiler, which keeps our own options; the types of `prost` would drop them.
fn without_comments(files: &[PathBuf]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut compiler = protox::Compiler::new([PROTO_ROOT])?;
    compiler.include_imports(true).include_source_info(false).open_files(files)?;
    Ok(compiler.encode_file_descriptor_set())
}

/// `baton.transfer.v1` becomes `transfer::v1`, which is where generated code of other packages looks for it.
fn modules(packages: &[String]) -> Result<String, Box<dyn Error>> {
    let mut areas: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for package in packages {
        let mut parts = package.split('.').skip(1);
        let (Some(area), Some(version), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err(format!("package {package} is not named baton.<area>.<version>").into());
        };
        areas.entry(area).or_default().insert(version, package);
    }
    let mut code = String::new();
    for (area, versions) in &areas {
        writeln!(code, "/// Area `{area}`.\npub mod {area} {{")?;
        for (version, package) in versions {
            writeln!(
                code,
                "    /// Package `{package}`.\n    pub mod {version} {{ tonic::include_proto!(\"{package}\"); }}"
            )?;
        }
        writeln!(code, "}}")?;
    }
    Ok(code)
}
