//! Going on after a restart: what was asked for is never asked for again, what was not taken is reported again.

use super::Interaction;
use crate::book::Name;
use crate::store::Restored;

impl Interaction {
    pub(super) fn restore(&mut self, restored: Restored) {
        self.position = restored.last_position;
        for it in restored.things {
            self.ways.book.register(Name { kind: it.key.kind, text: it.thing.name.clone() }, &self.id);
            if let (Some(position), Some(fact)) = (it.unacked, &it.thing.fact) {
                self.reporter.put(position, it.key.clone(), fact.clone());
            }
            self.world.things.insert(it.key, it.thing);
        }
    }
}
