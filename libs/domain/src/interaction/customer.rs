//! The customer's side.

use crate::words::Room;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The customer. Their leg is number 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Their number or address; may be empty. Personal data.
    pub address: Arc<str>,
    /// How they are connected.
    pub line: CustomerLine,
    /// They are to be on hold.
    pub held: bool,
    /// Their leg is over.
    pub gone: bool,
    /// The room in which telephony last saw their leg.
    pub seen_in: Option<Room>,
}

/// How a customer is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomerLine {
    /// They called: the switch's name of their leg.
    Inbound(Arc<str>),
    /// We call them, as soon as the agent is on the line.
    ToDial(Outside),
    /// Their phone rings, until then at most.
    Ringing(Outside, i64),
    /// They answered.
    Answered(Outside),
}

/// A number outside, and the rule that allows it to be dialled (X3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outside {
    /// What is dialled.
    pub phone: Arc<str>,
    /// The rule.
    pub allowed_by: Arc<str>,
}

impl Customer {
    /// They are on the line: somebody can talk with them.
    pub fn connected(&self) -> bool {
        !self.gone && matches!(self.line, CustomerLine::Inbound(_) | CustomerLine::Answered(_))
    }

    /// Their phone rings.
    pub fn ringing(&self) -> bool {
        !self.gone && matches!(self.line, CustomerLine::Ringing(..))
    }
}
