//! After a restart: stored operations are never requested again, and facts that are not acknowledged are reported again.

use super::InteractionDriver;
use crate::name_registry::SwitchName;
use crate::store::RestoredOperations;

impl InteractionDriver {
    pub(super) fn restore(&mut self, restored: RestoredOperations) {
        self.position = restored.last_position;
        for it in restored.operations {
            self.context.names.register(SwitchName { kind: it.key.kind, text: it.operation.name.clone() }, &self.id);
            if let (Some(position), Some(fact)) = (it.unacknowledged, &it.operation.fact) {
                self.reporter.put(position, it.key.clone(), fact.clone(), None);
            }
            self.observed.operations.insert(it.key, it.operation);
        }
        self.messages_are_due();
    }
}
