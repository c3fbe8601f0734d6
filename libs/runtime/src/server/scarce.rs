//! Which changes are made although space is short, because the disk is nearly full, or because the tenant has stored as much as it may: those
//! of live calls, so that nobody is lost, and those that make space.

use baton_api::ApiError;

use super::methods::MethodKind;
use crate::auth::{Caller, Role, TenantLimits};
use crate::disk_space::DiskSpace;

/// Services whose changes go on, and single methods. Beside them, everything is deleted that somebody wants to be deleted.
const GO_ON: [&str; 17] = [
    "/baton.presence.v1.DirectoryService/RemoveTeamMembers",
    "/baton.presence.v1.PresenceService/",
    "/baton.transfer.v1.TransferService/",
    "/baton.transfer.v1.ChatService/",
    "/baton.transfer.v1.InteractionService/EndInteraction",
    "/baton.transfer.v1.InteractionService/ForgetCustomer",
    "/baton.transfer.v1.InteractionService/HoldCustomer",
    "/baton.transfer.v1.InteractionService/LeaveInteraction",
    "/baton.transfer.v1.InteractionService/ResumeCustomer",
    "/baton.transfer.v1.InteractionService/DispositionInteraction",
    "/baton.transfer.v1.InteractionService/SendMessage",
    "/baton.transfer.v1.InteractionService/SetMute",
    "/baton.recording.v1.RecordingService/PauseRecording",
    "/baton.recording.v1.RecordingService/ResumeRecording",
    "/baton.recording.v1.RecordingService/StopRecording",
    "/baton.recording.v1.RecordingService/UpdateNumberSettings",
    "/baton.tenant.v1.TenantService/",
];

const MIB: u64 = 1024 * 1024;

/// Why space is short for a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shortage {
    /// For everybody.
    Disk,
    /// For this tenant, which has stored so many bytes of as many as it may.
    Tenant { stored: u64, limit: u64 },
}

/// Whether space is short for this caller. `tenant_mib`: what a tenant may store that has no limit of its own; 0 for as much as there is.
pub(super) fn shortage(space: &DiskSpace, caller: &Caller, own: TenantLimits, tenant_mib: u32) -> Option<Shortage> {
    if space.is_low() {
        return Some(Shortage::Disk);
    }
    let limit_mib = if own.stored_mib == 0 { tenant_mib } else { own.stored_mib };
    let (tenant, limit) = (caller.tenant.as_ref()?, u64::from(limit_mib) * MIB);
    let stored = if limit == 0 { 0 } else { space.stored(tenant.as_str()) };
    (stored > limit).then_some(Shortage::Tenant { stored, limit })
}

impl Shortage {
    /// Refuses a change that can wait.
    pub(super) fn check(self, path: &str, kind: MethodKind, caller: &Caller) -> Result<(), ApiError> {
        if !kind.is_change || is_part_of_calls(caller.role) || goes_on(path) {
            return Ok(());
        }
        Err(match self {
            Self::Disk => ApiError::resource_exhausted(
                "The disk of this Baton is nearly full (data.min_free_mib), and what would store more is refused; calls go on. Try again later, and notify its operator.",
            ),
            Self::Tenant { stored, limit } => {
                let message = format!(
                    "Your tenant has stored {} MiB of the {} MiB that it may (its limit, or data.tenant_mib), and what would store more is refused; calls go on. Ask the operator of this Baton for more, or delete recordings and messages; calls and events go by themselves when they are old.",
                    stored / MIB,
                    limit / MIB
                );
                ApiError::resource_exhausted(message)
                    .without_retry()
                    .with("stored_bytes", stored)
                    .with("limit_bytes", limit)
            }
        })
    }
}

/// Ends something, or deletes it: never to be slowed down.
pub(super) fn makes_room(path: &str) -> bool {
    ["/Delete", "/EndInteraction", "/LeaveInteraction", "/CloseSession"].iter().any(|it| path.contains(it))
}

/// Baton's own services, and those whose phones they ring.
fn is_part_of_calls(role: Role) -> bool {
    matches!(role, Role::Service | Role::Simulator)
}

fn goes_on(path: &str) -> bool {
    GO_ON.iter().any(|it| path.starts_with(it)) || path.contains("/Delete")
}

#[cfg(test)]
mod tests {
    use super::super::methods;
    use super::*;
    use crate::auth::access::ACCESS;

    #[test]
    fn s2_calls_go_on_when_the_disk_is_nearly_full_and_what_stores_more_does_not() {
        let of_clients = ACCESS.iter().filter(|(_, roles)| !roles.iter().all(|role| is_part_of_calls(*role)));
        let changes = of_clients.map(|(path, _)| *path).filter(|path| methods::kind(path).is_change);
        let waiting: Vec<_> = changes.filter(|path| !goes_on(path)).collect();
        let expected = [
            "/baton.presence.v1.DirectoryService/AddTeamMembers",
            "/baton.presence.v1.DirectoryService/CreateAgent",
            "/baton.presence.v1.DirectoryService/CreateSite",
            "/baton.presence.v1.DirectoryService/CreateTeam",
            "/baton.presence.v1.DirectoryService/UpdateAgent",
            "/baton.presence.v1.DirectoryService/UpdateSite",
            "/baton.presence.v1.DirectoryService/UpdateTeam",
            "/baton.recording.v1.RecordingService/StartRecording",
            "/baton.routing.v1.RoutingService/UpdateCallFlow",
            "/baton.routing.v1.RoutingService/UpdateDialRule",
            "/baton.routing.v1.RoutingService/UpdateExternalNumber",
            "/baton.routing.v1.RoutingService/UpdateIvrFlow",
            "/baton.routing.v1.RoutingService/UpdateNumber",
            "/baton.routing.v1.RoutingService/UpdateQueue",
            "/baton.transfer.v1.InteractionService/AddNote",
            "/baton.transfer.v1.InteractionService/PlaceCall",
            "/baton.transfer.v1.InteractionService/SetData",
            "/baton.transfer.v1.PolicyService/UpdatePolicy",
        ];
        assert_eq!(waiting, expected);
        let known = |it: &&&str| ACCESS.iter().any(|(path, _)| path.starts_with(**it));
        assert_eq!(GO_ON.iter().filter(known).count(), GO_ON.len(), "a method that there is not");
    }

    #[test]
    fn s2_a_tenant_that_has_stored_as_much_as_it_may_is_refused_alone() {
        let (space, full) = (DiskSpace::default(), Shortage::Tenant { stored: 3 * MIB, limit: 2 * MIB });
        space.counted("calls", [("acme".to_owned(), 3 * MIB), ("rival".to_owned(), 2 * MIB)].into());
        let caller = |tenant: &str| Caller::of_tenant(tenant.parse().unwrap(), "eve", Role::Admin);
        let own = |stored_mib| TenantLimits { stored_mib, ..TenantLimits::default() };
        let short = |tenant, own_mib, tenant_mib| shortage(&space, &caller(tenant), own(own_mib), tenant_mib);
        assert_eq!([short("acme", 2, 0), short("acme", 0, 2), short("acme", 2, 9)], [Some(full); 3]);
        assert_eq!([short("acme", 0, 0), short("acme", 3, 2), short("rival", 0, 2)], [None; 3]);
        let refused = |path: &str| full.check(path, methods::kind(path), &caller("acme")).err();
        let note = refused("/baton.transfer.v1.InteractionService/AddNote").unwrap();
        assert!(note.message.contains("3 MiB of the 2 MiB") && note.retry_after.is_none(), "{note:?}");
        for goes_on in
            ["InteractionService/SetMute", "InteractionService/GetInteraction", "TransferService/StartTransfer"]
        {
            assert_eq!(refused(&format!("/baton.transfer.v1.{goes_on}")), None, "{goes_on}");
        }
    }
}
