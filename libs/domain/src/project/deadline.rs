//! When to look again although nothing happens. Every state that is not final has such a moment, and it leads nearer to the end (C5, T2).

use crate::{
    interaction::{CustomerLine, Interaction, Offer, OfferState, Phase, Stage},
    permit::rules,
    words::Kind,
};

/// How much later than telephony's own ring time the saga gives up.
pub(crate) const RING_SILENCE_US: i64 = 5_000_000;
/// How long telephony may take to show the customer with the recipient.
pub(crate) const HAND_OVER_US: i64 = 30_000_000;

/// When to stop waiting for an offer although nobody reports anything.
pub(crate) fn offer_deadline(offer: &Offer) -> i64 {
    match offer.state {
        OfferState::Claiming { until_us } => until_us,
        OfferState::Ringing { until_us, .. } => until_us + RING_SILENCE_US,
    }
}

/// The next moment at which a tick changes something, microseconds since the epoch; none once it is over.
pub fn deadline(i: &Interaction) -> Option<i64> {
    let call_limit = i.opened_at_us + i.policy.interaction.max_call_ms * 1000;
    let stage = match i.stage {
        Stage::Ended(_) => return None,
        Stage::Exiting { until_us, .. } | Stage::Farewell { until_us, .. } => until_us,
        Stage::Seeking | Stage::Served => call_limit,
    };
    let search = i.search.as_ref().map(|search| {
        let offers = search.offers.iter().map(offer_deadline).min();
        offers.map_or(search.until_us, |offers| offers.min(search.until_us))
    });
    let ringing = match i.customer.line {
        CustomerLine::Ringing(_, until_us) if !i.customer.gone => Some(until_us + RING_SILENCE_US),
        _ => None,
    };
    [Some(stage), search, transfer_deadline(i), ringing].into_iter().flatten().min()
}

/// When something will happen to the open transfer although nobody does anything.
pub(crate) fn transfer_deadline(i: &Interaction) -> Option<i64> {
    let transfer = i.open_transfer()?;
    match transfer.phase {
        Phase::HandedOver => Some(transfer.phase_since_us + HAND_OVER_US),
        _ if transfer.kind == Kind::Cold => None,
        phase => Some(transfer.phase_since_us + rules(i, phase).max_ms * 1000),
    }
}
