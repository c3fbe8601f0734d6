//! Who controls the switch: an epoch that only grows, so that a controller that was stopped and woken up again does nothing more.

use super::Engine;
use super::effect::Effect;
use super::error::SwitchError;
use super::happening::What;

const LONGEST_NAME: usize = 128;

/// The latest controller.
#[derive(Debug)]
pub(crate) struct Control {
    epoch: i64,
    controller: String,
}

impl Control {
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
    /// Makes `controller` the one whose commands are obeyed; with epoch 0 the switch chooses the next.
    pub fn take_control(&mut self, epoch: i64, controller: &str) -> Result<i64, SwitchError> {
        if controller.is_empty() || controller.len() > LONGEST_NAME || epoch < 0 {
            return Err(SwitchError::invalid("controller", "must be 1 to 128 bytes long, and the epoch not negative"));
        }
        let epoch = self.control.next(epoch, controller)?;
        if epoch != self.control.epoch {
            self.control = Control::new(epoch, controller.to_owned());
            self.effects.push(Effect::ControlTaken { epoch, controller: controller.to_owned() });
            self.emit("", What::ControlTaken { epoch, controller: controller.to_owned() });
        }
        Ok(epoch)
    }

    /// The latest controller's epoch; 0 when there was none.
    pub fn epoch(&self) -> i64 {
        self.control.epoch
    }

    /// Does what a controller asks for, if it is the latest. What is refused is in the ledger, too.
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
            self.emit("", What::CommandRefused { command: command.to_owned(), message: error.to_string() });
        }
        result
    }
}
