//! `baton call explain`: what happened in a call, and why.

use baton_api::event_type;
use baton_api::plain;
use baton_api::transfer::v1::interaction_service_client::InteractionServiceClient;
use baton_api::transfer::v1::{ExplainInteractionRequest, ExplainedStep, Interaction};
use clap::Args;

use super::super::event_text::Names;
use super::super::output::{self, Column};
use super::super::refusal::OrRefusal;
use super::super::session::ClientSession;
use super::super::{resolve, word};
use super::CallArgument;
use crate::failure::KnownFailure;

const STEP: &str = "baton.transfer.v1.ExplainedStep";
/// Nothing is cut: where the terminal has no room for whole sentences, each stands on a line of its own.
const COLUMNS: [Column; 5] = [
    Column::id("time (utc)"),
    Column::id("what happened"),
    Column::id("why"),
    Column::wide("no"),
    Column::wide("type"),
];

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    call: CallArgument,
    /// Only this transfer of the call: its id, or the beginning or the end of it.
    #[arg(long, value_name = "ID")]
    transfer: Option<String>,
}

pub(super) async fn run(session: &ClientSession, args: &ExplainArgs) -> anyhow::Result<()> {
    let call = resolve::interaction(session, args.call.id.as_deref()).await?;
    let transfer_id = args.transfer.as_deref().map(|id| transfer_of(&call, id)).transpose()?.unwrap_or_default();
    let (steps, is_complete) = explained(session, &call.interaction_id, &transfer_id).await?;
    if steps.is_empty() {
        let text = "none of its events is kept any more\n  `baton call show` has the call's journey.";
        return Err(KnownFailure::not_found(text).into());
    }
    session.out.list(STEP, &steps, &COLUMNS, row)?;
    if !is_complete {
        output::diagnostic("The oldest events are no longer kept; this begins with what is.");
    }
    Ok(())
}

/// The transfer of this call with this id, or the only one whose id begins or ends so.
fn transfer_of(call: &Interaction, id: &str) -> anyhow::Result<String> {
    let ended = call.journey.iter().map(|hop| hop.transfer_id.clone()).filter(|id| !id.is_empty());
    let open = call.transfer.iter().map(|it| it.transfer_id.clone());
    let mut known: Vec<String> = ended.chain(open).collect();
    known.sort();
    known.dedup();
    if known.is_empty() {
        let text = "there was no transfer in this call\n  Without --transfer the whole call is explained.";
        return Err(KnownFailure::not_found(text).into());
    }
    Ok(resolve::find_one("transfer", id, &known, |it| [it.as_str(), it.as_str()])?.clone())
}

/// All steps, and whether nothing is missing at the beginning.
async fn explained(
    session: &ClientSession,
    interaction_id: &str,
    transfer_id: &str,
) -> anyhow::Result<(Vec<ExplainedStep>, bool)> {
    let mut client = InteractionServiceClient::new(session.reader_channel()?);
    let mut request = ExplainInteractionRequest {
        interaction_id: interaction_id.to_owned(),
        transfer_id: transfer_id.to_owned(),
        page_size: resolve::PAGE_SIZE,
        page_token: String::new(),
    };
    let (mut steps, mut is_complete) = (Vec::new(), true);
    for _ in 0..resolve::MAX_PAGES {
        let page = client.explain_interaction(request.clone()).await.or_refusal()?;
        is_complete &= page.complete;
        steps.extend(page.steps);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok((steps, is_complete));
        }
    }
    output::diagnostic(&format!("There are more than {} steps; the rest is left out.", steps.len()));
    Ok((steps, is_complete))
}

/// Who is not shown names finds the sentences empty: they are told of in types and ids.
fn row(step: &ExplainedStep) -> Vec<String> {
    let what = if step.what.is_empty() { event_type::short(&step.r#type).to_owned() } else { step.what.clone() };
    let why = match step.why.as_str() {
        "" => plain::why(step.cause.as_ref(), step.actor.as_ref(), &Names::default()),
        why => why.to_owned(),
    };
    vec![
        word::exact_time(step.time.as_ref()),
        word::one_line(&what),
        word::or_dash(why),
        step.sequence.to_string(),
        event_type::short(&step.r#type).to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use baton_api::common::v1::{Cause, cause::Trigger};
    use baton_api::transfer::v1::{Hop, Transfer};

    use super::*;

    fn call() -> Interaction {
        let hop = |id: &str| Hop { transfer_id: id.to_owned(), ..Hop::default() };
        let id = |no: u8| format!("01a2148f-18af-7236-b77a-cbecbbe40be4-transfer-{no}");
        Interaction {
            journey: vec![hop(""), hop(&id(1)), hop(&id(2))],
            transfer: Some(Transfer { transfer_id: id(2), ..Transfer::default() }),
            ..Interaction::default()
        }
    }

    #[test]
    fn a_transfer_is_found_by_the_end_of_its_id() {
        assert!(transfer_of(&call(), "cbecbbe40be4-transfer-2").unwrap().ends_with("-transfer-2"));
        assert!(transfer_of(&call(), "fer-1").unwrap().ends_with("-transfer-1"));
        let unknown = transfer_of(&call(), "cbecbbe40be4-transfer-3").unwrap_err().to_string();
        assert!(unknown.contains("there is no transfer"), "{unknown}");
        let none = transfer_of(&Interaction::default(), "x").unwrap_err().to_string();
        assert!(none.contains("Without --transfer"), "{none}");
    }

    #[test]
    fn who_is_shown_no_names_is_shown_types_and_ids() {
        let cause = Some(Cause { trigger: Trigger::Call.into(), agent_id: "a".to_owned(), ..Cause::default() });
        let step =
            ExplainedStep { r#type: "dev.baton.interaction.opened.v1".to_owned(), cause, ..ExplainedStep::default() };
        assert_eq!(row(&step)[1..3], ["interaction.opened", "a called the customer"]);
        let bare = ExplainedStep { what: "The customer hangs up.".to_owned(), ..ExplainedStep::default() };
        assert_eq!(row(&bare)[1..3], ["The customer hangs up.", "-"]);
        assert_eq!(row(&bare).len(), COLUMNS.len());
    }
}
