//! Reflection for one listener: the proto files of its own services, and their imports.
//!
//! Reflection needs no token, so the descriptors of internal services are not on a public listener.

use std::collections::{BTreeMap, BTreeSet};

use baton_api::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use tonic::server::NamedService;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthService;
use tonic_reflection::server::{Builder, Error, v1, v1alpha};

/// Reflection for a listener with these services, and health.
pub(super) fn server(names: &[&str]) -> Result<v1::ServerReflectionServer<impl v1::ServerReflection + use<>>, Error> {
    builder(names)?.build_v1()
}

/// The same in the version that older tools ask for.
pub(super) fn older_server(
    names: &[&str],
) -> Result<v1alpha::ServerReflectionServer<impl v1alpha::ServerReflection + use<>>, Error> {
    builder(names)?.build_v1alpha()
}

fn builder(names: &[&str]) -> Result<Builder<'static>, Error> {
    let mut reflection = Builder::configure()
        .register_file_descriptor_set(files_of(names)?)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name(<HealthServer<HealthService> as NamedService>::NAME);
    for name in names {
        reflection = reflection.with_service_name(*name);
    }
    Ok(reflection)
}

/// The files that define these services, and their direct and indirect imports.
fn files_of(names: &[&str]) -> Result<FileDescriptorSet, Error> {
    let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET)?.file;
    let mut wanted: Vec<_> =
        files.iter().filter(|file| has_one_of(file, names)).map(FileDescriptorProto::name).collect();
    let by_name: BTreeMap<_, _> = files.iter().map(|file| (file.name(), file)).collect();
    let mut found = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        if found.insert(name) {
            let imports = by_name.get(name).map(|file| file.dependency.as_slice()).unwrap_or_default();
            wanted.extend(imports.iter().map(String::as_str));
        }
    }
    Ok(FileDescriptorSet { file: files.iter().filter(|file| found.contains(file.name())).cloned().collect() })
}

fn has_one_of(file: &FileDescriptorProto, names: &[&str]) -> bool {
    file.service.iter().any(|service| names.contains(&format!("{}.{}", file.package(), service.name()).as_str()))
}

#[cfg(test)]
mod tests {
    use baton_api::presence::v1::claim_service_server;
    use baton_api::transfer::v1::interaction_service_server;

    use super::*;

    fn names_of(service: &str) -> Vec<String> {
        files_of(&[service]).unwrap().file.iter().map(|file| file.name().to_owned()).collect()
    }

    #[test]
    fn a_service_comes_with_all_that_its_messages_need_and_nothing_else() {
        let files = names_of(interaction_service_server::SERVICE_NAME);
        let needed = [
            "baton/common/v1/cause.proto",
            "baton/common/v1/data_class.proto",
            "baton/common/v1/error.proto",
            "baton/common/v1/types.proto",
            "google/protobuf/descriptor.proto",
            "google/protobuf/timestamp.proto",
            "baton/transfer/v1/chat_service.proto",
            "baton/transfer/v1/interaction.proto",
            "baton/transfer/v1/interaction_service.proto",
        ];
        assert_eq!(files.iter().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(needed));
    }

    #[test]
    fn no_service_brings_an_internal_one_along() {
        let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
        let services = |file: &FileDescriptorProto| {
            file.service.iter().map(|it| format!("/{}.{}/", file.package(), it.name())).collect::<Vec<_>>()
        };
        let is_internal = |service: &str| {
            let methods = crate::auth::access::ACCESS.iter().filter(|(path, _)| path.starts_with(service));
            methods.into_iter().any(|(_, roles)| *roles == [crate::auth::Role::Service])
        };
        assert!(is_internal(&format!("/{}/", claim_service_server::SERVICE_NAME)));
        let public = set.file.iter().flat_map(services).filter(|it| it.starts_with("/baton.") && !is_internal(it));
        for service in public {
            let set = files_of(&[service.trim_matches('/')]).unwrap();
            let brought: Vec<_> = set.file.iter().flat_map(services).filter(|it| is_internal(it)).collect();
            assert_eq!(brought, [""; 0], "{service}");
        }
    }
}
