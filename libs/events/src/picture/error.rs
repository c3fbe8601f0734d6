//! What an event can be that does not fit into the picture.

/// Why an event was not taken into a [`Picture`](super::Picture), which has stayed as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// Events between the last one and this one did not come.
    #[error(
        "of the events about {subject} from {publisher}, number {next} came after number {last}: read on from a cursor before number \
         {next}, without a filter, or begin anew with what is kept"
    )]
    Gap {
        /// What they are about.
        subject: String,
        /// The event's source: the service that publishes them.
        publisher: String,
        /// The number of the last one that came; 0 if none did.
        last: i64,
        /// The number of this one.
        next: i64,
    },
    /// A picture is of one tenant.
    #[error("this is an event of the tenant {tenant}, and the picture is of {of}: keep a picture for each tenant")]
    OtherTenant {
        /// Whose event it is.
        tenant: String,
        /// Whose picture it is.
        of: String,
    },
    /// The first event about a call is `interaction.opened`, and this is another one.
    #[error(
        "the first event about {subject} is {event_type} and not interaction.opened: report it, the events are wrong"
    )]
    NotOpened {
        /// What it is about.
        subject: String,
        /// What it is instead.
        event_type: String,
    },
}
