//! What Baton must do, row by row. Every scenario drives only the public API and the simulator's, and is checked by what the parties
//! heard, where legs ended, the recordings, and the events.

mod b101_cold;
mod b102_cold_unanswered;
mod b103_warm;
mod b104_entitlement;
mod b105_warm_unanswered;
mod b106_off_hold;
mod b107_another_try;
mod b108_inbox;
mod b201_picker;
mod b202_consult;
mod b203_takes_over;
mod b204_notes;
mod b205_back_to_the_customer;
mod b206_recorded;
mod b207_by_hand;
mod b208_consult_unrecorded;
mod b209_customer_gone;
mod b301_media_and_sites;
mod b302_queue;
mod b303_accepted;
mod b306_chat;
mod b307_not_accepted;
mod b403_on_answer;
mod b406_round_trip;
mod b408_outside;
mod b501_picker;
mod b502_last_choice;
mod b503_outcome;
mod b504_waiting;
mod b505_consult;
mod b507_disposition;
mod b601_reserved;
mod b602_swap;
mod b603_journey;
mod b604_not_responding;
mod b605_lease;
mod b606_queue;
mod b606_team;
mod b607_live_picker;
mod b608_pause;
mod b609_idempotent;
mod b611_policy_check;
mod b612_explain;
mod b613_replay;
mod f4_one_phone;
mod f8_voicemail;

use crate::harness::Scenario;

/// All of them.
pub(crate) fn scenarios() -> Vec<Scenario> {
    [
        b101_cold::scenarios(),
        b102_cold_unanswered::scenarios(),
        b103_warm::scenarios(),
        b104_entitlement::scenarios(),
        b105_warm_unanswered::scenarios(),
        b106_off_hold::scenarios(),
        b107_another_try::scenarios(),
        b108_inbox::scenarios(),
        b201_picker::scenarios(),
        b202_consult::scenarios(),
        b203_takes_over::scenarios(),
        b204_notes::scenarios(),
        b205_back_to_the_customer::scenarios(),
        b206_recorded::scenarios(),
        b207_by_hand::scenarios(),
        b208_consult_unrecorded::scenarios(),
        b209_customer_gone::scenarios(),
        b302_queue::scenarios(),
        b301_media_and_sites::scenarios(),
        b303_accepted::scenarios(),
        b306_chat::scenarios(),
        b307_not_accepted::scenarios(),
        b403_on_answer::scenarios(),
        b408_outside::scenarios(),
        b406_round_trip::scenarios(),
        b501_picker::scenarios(),
        b502_last_choice::scenarios(),
        b503_outcome::scenarios(),
        b504_waiting::scenarios(),
        b505_consult::scenarios(),
        b507_disposition::scenarios(),
        b601_reserved::scenarios(),
        b602_swap::scenarios(),
        b603_journey::scenarios(),
        b604_not_responding::scenarios(),
        b605_lease::scenarios(),
        b606_queue::scenarios(),
        b606_team::scenarios(),
        b607_live_picker::scenarios(),
        b608_pause::scenarios(),
        b609_idempotent::scenarios(),
        b611_policy_check::scenarios(),
        b612_explain::scenarios(),
        b613_replay::scenarios(),
        f4_one_phone::scenarios(),
        f8_voicemail::scenarios(),
    ]
    .concat()
}
