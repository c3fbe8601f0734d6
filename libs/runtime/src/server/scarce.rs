//! Which changes are made although the disk is nearly full: those of live calls, so that nobody is lost, and those that make space.

use baton_api::ApiError;

use super::methods::MethodKind;
use crate::auth::{Caller, Role};
use crate::disk_space::DiskSpace;

/// Services whose changes go on, and single methods. Beside them, everything is deleted that somebody wants to be deleted.
const GO_ON: [&str; 12] = [
    "/baton.presence.v1.PresenceService/",
    "/baton.transfer.v1.TransferService/",
    "/baton.transfer.v1.InteractionService/EndInteraction",
    "/baton.transfer.v1.InteractionService/ForgetCustomer",
    "/baton.transfer.v1.InteractionService/HoldCustomer",
    "/baton.transfer.v1.InteractionService/LeaveInteraction",
    "/baton.transfer.v1.InteractionService/ResumeCustomer",
    "/baton.transfer.v1.InteractionService/SetMute",
    "/baton.recording.v1.RecordingService/PauseRecording",
    "/baton.recording.v1.RecordingService/ResumeRecording",
    "/baton.recording.v1.RecordingService/StopRecording",
    "/baton.tenant.v1.TenantService/",
];

/// Refuses a change that can wait.
pub(super) fn check(space: &DiskSpace, path: &str, kind: MethodKind, caller: &Caller) -> Result<(), ApiError> {
    if !kind.is_change || !space.is_low() || is_part_of_calls(caller.role) || goes_on(path) {
        return Ok(());
    }
    let message = "The disk of this Baton is nearly full (data.min_free_mib), and what would store more is refused; calls go on. Try again later, and notify its operator.";
    Err(ApiError::resource_exhausted(message))
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
            "/baton.presence.v1.DirectoryService/CreateTeam",
            "/baton.presence.v1.DirectoryService/RemoveTeamMembers",
            "/baton.presence.v1.DirectoryService/UpdateAgent",
            "/baton.presence.v1.DirectoryService/UpdateTeam",
            "/baton.recording.v1.RecordingService/StartRecording",
            "/baton.recording.v1.RecordingService/UpdateNumberSettings",
            "/baton.routing.v1.RoutingService/UpdateCallFlow",
            "/baton.routing.v1.RoutingService/UpdateDialRule",
            "/baton.routing.v1.RoutingService/UpdateNumber",
            "/baton.transfer.v1.InteractionService/AddNote",
            "/baton.transfer.v1.InteractionService/PlaceCall",
            "/baton.transfer.v1.InteractionService/SetData",
            "/baton.transfer.v1.PolicyService/UpdatePolicy",
        ];
        assert_eq!(waiting, expected);
        let known = |it: &&&str| ACCESS.iter().any(|(path, _)| path.starts_with(**it));
        assert_eq!(GO_ON.iter().filter(known).count(), GO_ON.len(), "a method that there is not");
    }
}
