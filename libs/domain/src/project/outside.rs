//! The calls to numbers outside: what the caps of a policy count (X3).

use crate::interaction::{Interaction, LegSource};
use baton_words::LegNo;
use smallvec::SmallVec;

/// The legs outside that ring, are connected, or are to be dialled: of a customer whom an agent calls, and of whoever is called for a transfer.
pub fn outside_legs(i: &Interaction) -> SmallVec<[LegNo; 2]> {
    if i.ended() {
        return SmallVec::new();
    }
    let dialled =
        |party: &&crate::interaction::Party| matches!(party.leg.origin, LegSource::Outside(_)) && !party.leg.is_over();
    let rings = i.search().and_then(|search| search.outside).map(|call| call.leg);
    i.parties.iter().filter(dialled).map(|party| party.leg.no).chain(rings).collect()
}
