//! The table of methods and the roles that may call them, sorted by path.
//!
//! A method that is not in it is refused to every role, so a new method needs a line before it can be called. The handler
//! decides what a caller may do with a particular object (their own call, their own state).

use super::Role;
use super::Role::{Admin, Agent, Analyst, Operator, Service, ServiceAccount, Simulator, Supervisor, Visitor};

/// Everyone who belongs to a tenant and works with calls, or acts for those who do.
const DESK: &[Role] = &[Agent, Supervisor, Admin, ServiceAccount];
/// Those who may read what happened.
const READERS: &[Role] = &[Agent, Supervisor, Admin, Analyst, ServiceAccount];
/// Those who take calls.
const AGENTS: &[Role] = &[Agent];
/// Those who have a voicemail box, and those who look after all boxes.
const BOX_OWNERS: &[Role] = &[Agent, Supervisor, Admin];
/// Those who look after others.
const LEADS: &[Role] = &[Supervisor, Admin];
/// Those who may see all that was published.
const OVERSEERS: &[Role] = &[Supervisor, Admin, Analyst];
/// Those who configure.
const ADMINS: &[Role] = &[Admin];
/// Those who run the installation: they see no calls of anybody.
const OPERATORS: &[Role] = &[Operator];
/// Those who may read a tenant's plan.
const PLAN_READERS: &[Role] = &[Operator, Supervisor, Admin];
/// Baton's own services.
const SERVICES: &[Role] = &[Service];
/// A customer in a chat of theirs.
const VISITORS: &[Role] = &[Visitor];
/// Those who open chats for visitors.
const HOSTS: &[Role] = &[Admin, ServiceAccount];
/// Those who drive the simulated switch.
const SIMULATORS: &[Role] = &[Simulator];

/// Each method's path with the roles that may call it.
pub const ACCESS: &[(&str, &[Role])] = &[
    ("/baton.event.v1.EventService/ListEvents", OVERSEERS),
    ("/baton.event.v1.EventService/TailEvents", OVERSEERS),
    ("/baton.presence.v1.ClaimService/CompareClaims", SERVICES),
    ("/baton.presence.v1.ClaimService/ListCandidates", SERVICES),
    ("/baton.presence.v1.ClaimService/ListChoices", SERVICES),
    ("/baton.presence.v1.ClaimService/LookupAgents", SERVICES),
    ("/baton.presence.v1.ClaimService/LookupTeams", SERVICES),
    ("/baton.presence.v1.ClaimService/SyncClaims", SERVICES),
    ("/baton.presence.v1.ClaimService/WatchAvailability", SERVICES),
    ("/baton.presence.v1.DirectoryService/AddTeamMembers", ADMINS),
    ("/baton.presence.v1.DirectoryService/CreateAgent", ADMINS),
    ("/baton.presence.v1.DirectoryService/CreateSite", ADMINS),
    ("/baton.presence.v1.DirectoryService/CreateTeam", ADMINS),
    ("/baton.presence.v1.DirectoryService/DeleteAgent", ADMINS),
    ("/baton.presence.v1.DirectoryService/DeleteSite", ADMINS),
    ("/baton.presence.v1.DirectoryService/DeleteTeam", ADMINS),
    ("/baton.presence.v1.DirectoryService/GetAgent", DESK),
    ("/baton.presence.v1.DirectoryService/GetSite", DESK),
    ("/baton.presence.v1.DirectoryService/GetTeam", DESK),
    ("/baton.presence.v1.DirectoryService/ListAgents", DESK),
    ("/baton.presence.v1.DirectoryService/ListSites", DESK),
    ("/baton.presence.v1.DirectoryService/ListTeams", DESK),
    ("/baton.presence.v1.DirectoryService/RemoveTeamMembers", ADMINS),
    ("/baton.presence.v1.DirectoryService/UpdateAgent", ADMINS),
    ("/baton.presence.v1.DirectoryService/UpdateSite", ADMINS),
    ("/baton.presence.v1.DirectoryService/UpdateTeam", ADMINS),
    ("/baton.presence.v1.PresenceService/CloseSession", AGENTS),
    ("/baton.presence.v1.PresenceService/Connect", AGENTS),
    ("/baton.presence.v1.PresenceService/GetPresence", DESK),
    ("/baton.presence.v1.PresenceService/ListInbox", AGENTS),
    ("/baton.presence.v1.PresenceService/ListTargets", DESK),
    ("/baton.presence.v1.PresenceService/OpenSession", AGENTS),
    ("/baton.presence.v1.PresenceService/RenewSession", AGENTS),
    ("/baton.presence.v1.PresenceService/SetState", DESK),
    ("/baton.presence.v1.PresenceService/WatchAgent", AGENTS),
    ("/baton.presence.v1.PresenceService/WatchTargets", DESK),
    ("/baton.recording.v1.ArchiveService/ForgetCustomer", SERVICES),
    ("/baton.recording.v1.ArchiveService/ResolveMode", SERVICES),
    ("/baton.recording.v1.ArchiveService/StoreSegment", SERVICES),
    ("/baton.recording.v1.RecordingService/DeleteRecording", LEADS),
    ("/baton.recording.v1.RecordingService/DownloadRecording", LEADS),
    ("/baton.recording.v1.RecordingService/GetNumberSettings", DESK),
    ("/baton.recording.v1.RecordingService/GetRecording", READERS),
    ("/baton.recording.v1.RecordingService/ListAccesses", ADMINS),
    ("/baton.recording.v1.RecordingService/ListNumberSettings", LEADS),
    ("/baton.recording.v1.RecordingService/ListRecordings", READERS),
    ("/baton.recording.v1.RecordingService/PauseRecording", DESK),
    ("/baton.recording.v1.RecordingService/ResumeRecording", DESK),
    ("/baton.recording.v1.RecordingService/StartRecording", DESK),
    ("/baton.recording.v1.RecordingService/StopRecording", DESK),
    ("/baton.recording.v1.RecordingService/UpdateNumberSettings", ADMINS),
    ("/baton.recording.v1.VoicemailService/DeleteMessage", BOX_OWNERS),
    ("/baton.recording.v1.VoicemailService/DownloadMessage", BOX_OWNERS),
    ("/baton.recording.v1.VoicemailService/GetMessage", BOX_OWNERS),
    ("/baton.recording.v1.VoicemailService/ListMessages", BOX_OWNERS),
    ("/baton.routing.v1.RouteService/CompareWaits", SERVICES),
    ("/baton.routing.v1.RouteService/ListExternalChoices", SERVICES),
    ("/baton.routing.v1.RouteService/ListIvrChoices", SERVICES),
    ("/baton.routing.v1.RouteService/ListQueueChoices", SERVICES),
    ("/baton.routing.v1.RouteService/ResolveDial", SERVICES),
    ("/baton.routing.v1.RouteService/ResolveIvrFlow", SERVICES),
    ("/baton.routing.v1.RouteService/ResolveNumber", SERVICES),
    ("/baton.routing.v1.RouteService/ResolveQueue", SERVICES),
    ("/baton.routing.v1.RouteService/SyncWait", SERVICES),
    ("/baton.routing.v1.RoutingService/DeleteCallFlow", ADMINS),
    ("/baton.routing.v1.RoutingService/DeleteDialRule", ADMINS),
    ("/baton.routing.v1.RoutingService/DeleteExternalNumber", ADMINS),
    ("/baton.routing.v1.RoutingService/DeleteIvrFlow", ADMINS),
    ("/baton.routing.v1.RoutingService/DeleteNumber", ADMINS),
    ("/baton.routing.v1.RoutingService/DeleteQueue", ADMINS),
    ("/baton.routing.v1.RoutingService/GetCallFlow", LEADS),
    ("/baton.routing.v1.RoutingService/GetDialRule", LEADS),
    ("/baton.routing.v1.RoutingService/GetExternalNumber", LEADS),
    ("/baton.routing.v1.RoutingService/GetIvrFlow", LEADS),
    ("/baton.routing.v1.RoutingService/GetNumber", LEADS),
    ("/baton.routing.v1.RoutingService/GetQueue", DESK),
    ("/baton.routing.v1.RoutingService/GetQueueStatistics", DESK),
    ("/baton.routing.v1.RoutingService/ListCallFlows", LEADS),
    ("/baton.routing.v1.RoutingService/ListDialRules", LEADS),
    ("/baton.routing.v1.RoutingService/ListExternalNumbers", LEADS),
    ("/baton.routing.v1.RoutingService/ListIvrFlows", LEADS),
    ("/baton.routing.v1.RoutingService/ListNumbers", LEADS),
    ("/baton.routing.v1.RoutingService/ListQueueStatistics", DESK),
    ("/baton.routing.v1.RoutingService/ListQueues", DESK),
    ("/baton.routing.v1.RoutingService/UpdateCallFlow", ADMINS),
    ("/baton.routing.v1.RoutingService/UpdateDialRule", ADMINS),
    ("/baton.routing.v1.RoutingService/UpdateExternalNumber", ADMINS),
    ("/baton.routing.v1.RoutingService/UpdateIvrFlow", ADMINS),
    ("/baton.routing.v1.RoutingService/UpdateNumber", ADMINS),
    ("/baton.routing.v1.RoutingService/UpdateQueue", ADMINS),
    ("/baton.simulator.v1.SimulatorService/AnswerPhone", SIMULATORS),
    ("/baton.simulator.v1.SimulatorService/DeclinePhone", SIMULATORS),
    ("/baton.simulator.v1.SimulatorService/DeletePhone", SIMULATORS),
    ("/baton.simulator.v1.SimulatorService/GetHeard", SIMULATORS),
    ("/baton.simulator.v1.SimulatorService/GetLedger", SIMULATORS),
    ("/baton.simulator.v1.SimulatorService/GetMessage", SIMULATORS),
    ("/baton.simulator.v1.SimulatorService/GetStats", SIMULATORS),
    ("/baton.simulator.v1.SimulatorService/HangUpPhone", SIMULATORS),
    ("/baton.simulator.v1.SimulatorService/ListHeard", SIMULATORS),
    ("/baton.simulator.v1.SimulatorService/ListPhones", SIMULATORS),
    ("/baton.simulator.v1.SimulatorService/MutePhone", SIMULATORS),
    ("/baton.simulator.v1.SimulatorService/PlaceCall", SIMULATORS),
    ("/baton.simulator.v1.SimulatorService/PressKeys", SIMULATORS),
    ("/baton.simulator.v1.SimulatorService/PutPhone", SIMULATORS),
    ("/baton.simulator.v1.SwitchService/Answer", SERVICES),
    ("/baton.simulator.v1.SwitchService/DeleteRecording", SERVICES),
    ("/baton.simulator.v1.SwitchService/DestroyRoom", SERVICES),
    ("/baton.simulator.v1.SwitchService/Dial", SERVICES),
    ("/baton.simulator.v1.SwitchService/EnsureRoom", SERVICES),
    ("/baton.simulator.v1.SwitchService/Execute", SERVICES),
    ("/baton.simulator.v1.SwitchService/Exit", SERVICES),
    ("/baton.simulator.v1.SwitchService/FetchRecording", SERVICES),
    ("/baton.simulator.v1.SwitchService/GetLegEnd", SERVICES),
    ("/baton.simulator.v1.SwitchService/GetSnapshot", SERVICES),
    ("/baton.simulator.v1.SwitchService/Hangup", SERVICES),
    ("/baton.simulator.v1.SwitchService/Move", SERVICES),
    ("/baton.simulator.v1.SwitchService/Play", SERVICES),
    ("/baton.simulator.v1.SwitchService/RecallExit", SERVICES),
    ("/baton.simulator.v1.SwitchService/Remove", SERVICES),
    ("/baton.simulator.v1.SwitchService/SetMute", SERVICES),
    ("/baton.simulator.v1.SwitchService/StartRecording", SERVICES),
    ("/baton.simulator.v1.SwitchService/StopPlayback", SERVICES),
    ("/baton.simulator.v1.SwitchService/StopRecording", SERVICES),
    ("/baton.simulator.v1.SwitchService/StreamEvents", SERVICES),
    ("/baton.simulator.v1.SwitchService/TakeControl", SERVICES),
    ("/baton.telephony.v1.TelephonyService/ApplyPlan", SERVICES),
    ("/baton.telephony.v1.TelephonyService/ComparePlans", SERVICES),
    ("/baton.tenant.v1.AdmissionService/LookupTenant", SERVICES),
    ("/baton.tenant.v1.AdmissionService/WatchAdmissions", SERVICES),
    ("/baton.tenant.v1.TenantService/CreateTenant", OPERATORS),
    ("/baton.tenant.v1.TenantService/GetTenant", PLAN_READERS),
    ("/baton.tenant.v1.TenantService/ListTenants", OPERATORS),
    ("/baton.tenant.v1.TenantService/ResumeTenant", OPERATORS),
    ("/baton.tenant.v1.TenantService/SuspendTenant", OPERATORS),
    ("/baton.tenant.v1.TenantService/UpdateTenant", OPERATORS),
    ("/baton.transfer.v1.ChatService/GetChat", VISITORS),
    ("/baton.transfer.v1.ChatService/IssueVisitorToken", HOSTS),
    ("/baton.transfer.v1.ChatService/LeaveChat", VISITORS),
    ("/baton.transfer.v1.ChatService/ListChatMessages", VISITORS),
    ("/baton.transfer.v1.ChatService/OpenChat", HOSTS),
    ("/baton.transfer.v1.ChatService/SendChatMessage", VISITORS),
    ("/baton.transfer.v1.ChatService/WatchChatMessages", VISITORS),
    ("/baton.transfer.v1.IntakeService/ControlRecording", SERVICES),
    ("/baton.transfer.v1.IntakeService/GetWanted", SERVICES),
    ("/baton.transfer.v1.IntakeService/OpenInteraction", SERVICES),
    ("/baton.transfer.v1.IntakeService/ReportFacts", SERVICES),
    ("/baton.transfer.v1.InteractionService/AddNote", DESK),
    ("/baton.transfer.v1.InteractionService/DispositionInteraction", DESK),
    ("/baton.transfer.v1.InteractionService/EndInteraction", DESK),
    ("/baton.transfer.v1.InteractionService/ExplainInteraction", READERS),
    ("/baton.transfer.v1.InteractionService/ForgetCustomer", ADMINS),
    ("/baton.transfer.v1.InteractionService/GetInteraction", READERS),
    ("/baton.transfer.v1.InteractionService/HoldCustomer", DESK),
    ("/baton.transfer.v1.InteractionService/LeaveInteraction", DESK),
    ("/baton.transfer.v1.InteractionService/ListInteractions", READERS),
    ("/baton.transfer.v1.InteractionService/ListMessages", DESK),
    ("/baton.transfer.v1.InteractionService/PlaceCall", DESK),
    ("/baton.transfer.v1.InteractionService/ResumeCustomer", DESK),
    ("/baton.transfer.v1.InteractionService/SendMessage", DESK),
    ("/baton.transfer.v1.InteractionService/SetData", DESK),
    ("/baton.transfer.v1.InteractionService/SetMute", DESK),
    ("/baton.transfer.v1.InteractionService/WatchInteraction", READERS),
    ("/baton.transfer.v1.InteractionService/WatchInteractions", READERS),
    ("/baton.transfer.v1.InteractionService/WatchMessages", DESK),
    ("/baton.transfer.v1.PolicyService/GetPolicy", LEADS),
    ("/baton.transfer.v1.PolicyService/ListProfiles", LEADS),
    ("/baton.transfer.v1.PolicyService/UpdatePolicy", ADMINS),
    ("/baton.transfer.v1.PolicyService/ValidatePolicy", LEADS),
    ("/baton.transfer.v1.TransferService/AcceptTransfer", DESK),
    ("/baton.transfer.v1.TransferService/CancelTransfer", DESK),
    ("/baton.transfer.v1.TransferService/CompleteTransfer", DESK),
    ("/baton.transfer.v1.TransferService/DeclineTransfer", DESK),
    ("/baton.transfer.v1.TransferService/GetTransfer", READERS),
    ("/baton.transfer.v1.TransferService/GetTransferOptions", DESK),
    ("/baton.transfer.v1.TransferService/ListTransferTargets", DESK),
    ("/baton.transfer.v1.TransferService/ListTransfers", READERS),
    ("/baton.transfer.v1.TransferService/StartTransfer", DESK),
    ("/baton.transfer.v1.TransferService/SwapTransfer", DESK),
    ("/baton.transfer.v1.TransferService/WatchTransferTargets", DESK),
];

/// The roles that may call the method at this path (`/package.Service/Method`); `None` if it is not in the table.
pub fn roles(path: &str) -> Option<&'static [Role]> {
    let at = ACCESS.binary_search_by_key(&path, |(path, _)| path).ok()?;
    ACCESS.get(at).map(|(_, roles)| *roles)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message as _;

    use super::*;

    fn methods() -> BTreeSet<String> {
        let set = prost_types::FileDescriptorSet::decode(baton_api::FILE_DESCRIPTOR_SET).unwrap();
        let mut methods = BTreeSet::new();
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    methods.insert(format!("/{}.{}/{}", file.package(), service.name(), method.name()));
                }
            }
        }
        methods
    }

    #[test]
    fn the_table_is_sorted_without_doubles() {
        let out_of_order = ACCESS.windows(2).find(|pair| pair[0].0 >= pair[1].0);
        assert_eq!(out_of_order, None);
    }

    #[test]
    fn the_table_has_exactly_the_methods_of_the_contract() {
        let listed: BTreeSet<_> = ACCESS.iter().map(|(path, _)| (*path).to_owned()).collect();
        let methods = methods();
        let missing: Vec<_> = methods.difference(&listed).collect();
        let unknown: Vec<_> = listed.difference(&methods).collect();
        assert!(missing.is_empty() && unknown.is_empty(), "add: {missing:#?}\nremove: {unknown:#?}");
    }

    #[test]
    fn what_is_not_a_whole_path_is_not_in_the_table() {
        for path in ["", "/", "/baton.transfer.v1.TransferService/Nothing", "/baton.transfer.v1.TransferService/"] {
            assert_eq!(roles(path), None, "{path}");
        }
    }

    #[test]
    fn services_call_only_what_is_internal() {
        for (path, roles) in ACCESS {
            assert!(!roles.contains(&Service) || roles.len() == 1, "{path}");
        }
    }
}
