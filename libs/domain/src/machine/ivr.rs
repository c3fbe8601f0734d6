//! An IVR flow: what a customer hears and presses without an agent, element after element. The switch goes through it; the core sends the
//! customer there, takes in what was collected, and says what becomes of them at its end.

use super::FlowStep;
use baton_words::IvrFlowId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An IVR flow, as it was when it was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IvrFlow {
    pub id: IvrFlowId,
    pub name: Arc<str>,
    /// It may be used where the customer comes back to who sent them (B407).
    pub round_trip: bool,
    /// In order; empty where it is over and only named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elements: Vec<IvrElement>,
}

/// One element, with the label by which a branch finds it; most have none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IvrElement {
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub label: Arc<str>,
    pub step: IvrStep,
}

/// What an element does. Times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IvrStep {
    /// Plays an announcement.
    Play(Arc<str>),
    /// Collects digits, under this key of the attached data.
    Collect {
        key: Arc<str>,
        /// Played first, and before each new try; may be empty.
        announcement: Arc<str>,
        min: u32,
        max: u32,
        /// The key that ends the input, `#` or `*`; empty: only the number of digits and the times do.
        terminator: Arc<str>,
        first_digit_ms: i64,
        between_digits_ms: i64,
        tries: u32,
        /// What was pressed stays on the switch: the data says only that it was collected.
        sensitive: bool,
    },
    /// Sets a key of the attached data.
    SetData { key: Arc<str>, value: Arc<str> },
    /// Goes on at the label of the first case whose value is that of the key; at `otherwise`, or with the next element where that is empty.
    Branch { key: Arc<str>, cases: Vec<IvrCase>, otherwise: Arc<str> },
    /// Leaves the flow: by this step, or (none) for the next step of the call flow.
    Transfer(Option<Box<FlowStep>>),
    /// Gives the customer back to who sent them; with nobody there, to the next step of the call flow.
    Return,
    /// The end: the customer comes back where somebody waits for them; otherwise the call ends.
    End,
}

/// A case of a branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IvrCase {
    pub value: Arc<str>,
    pub goto: Arc<str>,
}

impl IvrFlow {
    /// It hands customers on by itself, so nobody can count on their coming back (B407).
    pub fn transfers_on(&self) -> bool {
        self.elements.iter().any(|element| matches!(element.step, IvrStep::Transfer(_)))
    }

    /// Only which it is.
    #[must_use]
    pub(crate) fn named(&self) -> Arc<Self> {
        Arc::new(Self { id: self.id, name: self.name.clone(), round_trip: self.round_trip, elements: Vec::new() })
    }

    /// The step by which the transfer element at this index leaves the flow; none: the next step of the call flow.
    pub(crate) fn leaves_by(&self, index: u32) -> Option<FlowStep> {
        match &self.elements.get(index as usize)?.step {
            IvrStep::Transfer(Some(step)) => Some((**step).clone()),
            _ => None,
        }
    }
}
