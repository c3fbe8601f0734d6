//! Control of the switch: each controller has an epoch, and epochs only grow, so that the commands of a controller that was replaced
//! while it hung are refused (a fence).

use super::Engine;
use super::effect::Effect;
use super::error::SwitchError;
use super::ledger::LedgerAction;

const LONGEST_NAME: usize = 128;

/// The latest controller and its epoch.
#[derive(Debug)]
pub(crate) struct ControlEpoch {
    epoch: i64,
    controller: String,
}

impl ControlEpoch {
    pub(crate) fn new(epoch: i64, controller: String) -> Self {
        Self { epoch, controller }
    }

    fn next(&self, epoch: i64, controller: &str) -> Result<i64, SwitchError> {
        let same = epoch == self.epoch && controller == self.controller;
        match epoch {
            0 => Ok(self.epoch + 1),
            _ if epoch > self.epoch || same => Ok(epoch),
            _ => Err(SwitchError::NotInControl { given: epoch, latest: self.epoch }),
        }
    }
}

impl Engine {
    /// Makes `controller` the one whose commands are obeyed; for epoch 0 the switch chooses the next epoch.
    pub fn take_control(&mut self, epoch: i64, controller: &str) -> Result<i64, SwitchError> {
        if controller.is_empty() || controller.len() > LONGEST_NAME || epoch < 0 {
            return Err(SwitchError::invalid("controller", "must be 1 to 128 bytes long, and the epoch not negative"));
        }
        let epoch = self.control.next(epoch, controller)?;
        if epoch != self.control.epoch {
            self.control = ControlEpoch::new(epoch, controller.to_owned());
            self.effects.push(Effect::ControlTaken { epoch, controller: controller.to_owned() });
            self.emit("", LedgerAction::ControlTaken { epoch, controller: controller.to_owned() });
        }
        Ok(epoch)
    }

    /// The latest controller's epoch; 0 when there was none.
    pub fn epoch(&self) -> i64 {
        self.control.epoch
    }

    /// Runs a command if `epoch` is the latest controller's. Refusals are written to the ledger.
    pub fn controlled<R>(
        &mut self,
        epoch: i64,
        command: &'static str,
        act: impl FnOnce(&mut Self) -> Result<R, SwitchError>,
    ) -> Result<R, SwitchError> {
        let latest = self.control.epoch;
        let result = if epoch == latest && latest != 0 {
            act(self)
        } else {
            Err(SwitchError::NotInControl { given: epoch, latest })
        };
        if let Err(error) = &result {
            self.emit("", LedgerAction::CommandRefused { command: command.to_owned(), message: error.to_string() });
        }
        result
    }
}
