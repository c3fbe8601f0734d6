//! `baton flow`.

use baton_api::routing::v1::call_flow_step::Step;
use baton_api::routing::v1::routing_service_client::RoutingServiceClient;
use baton_api::routing::v1::{CallFlow, ListCallFlowsRequest};
use baton_runtime::auth::Role;
use clap::Subcommand;

use super::refusal::Told;
use super::resolve;
use super::session::Session;
use super::story::Names;

/// What can be done with call flows.
#[derive(Debug, Subcommand)]
pub(crate) enum FlowCommand {
    /// List all call flows with their steps.
    List,
}

/// Runs it.
pub(crate) async fn run(session: &Session, command: FlowCommand) -> anyhow::Result<()> {
    let FlowCommand::List = command;
    let flows = flows(session).await?;
    let agents = resolve::agents(session).await?.into_iter().map(|it| (it.agent_id, it.name));
    let teams = resolve::teams(session).await?.into_iter().map(|it| (it.team_id, it.name));
    let names: Names = agents.chain(teams).collect();
    session.out.list("baton.routing.v1.CallFlow", &flows, &["name", "steps", "id"], |it| {
        vec![it.name.clone(), steps(it, &names), it.call_flow_id.clone()]
    })
}

/// All call flows.
pub(super) async fn flows(session: &Session) -> anyhow::Result<Vec<CallFlow>> {
    let mut routing = RoutingServiceClient::new(session.of_role(Role::Supervisor)?);
    let request = ListCallFlowsRequest { page_size: resolve::PAGE, page_token: String::new() };
    Ok(routing.list_call_flows(request).await.told()?.call_flows)
}

fn steps(flow: &CallFlow, names: &Names) -> String {
    let step = |step: &Step| match step {
        Step::RingAgent(it) => format!("ring {}", names.of(&it.agent_id)),
        Step::RingTeam(it) => format!("ring team {}", names.of(&it.team_id)),
        Step::Voicemail(it) => format!("voicemail {}", it.mailbox),
        Step::Disconnect(_) => "disconnect".to_owned(),
    };
    flow.steps.iter().filter_map(|it| it.step.as_ref().map(step)).collect::<Vec<_>>().join(", then ")
}
