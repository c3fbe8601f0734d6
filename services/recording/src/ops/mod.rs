//! The operations of the API, one file each.

pub(crate) mod accesses;
pub(crate) mod control;
pub(crate) mod delete;
pub(crate) mod delete_message;
pub(crate) mod download;
pub(crate) mod forget;
pub(crate) mod list;
pub(crate) mod messages;
pub(crate) mod settings;
pub(crate) mod store_message;
pub(crate) mod store_segment;

use baton_api::error::{DOMAIN, ErrorReason};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Audio is damaged: `DATA_LOSS`, a code that no other failure of Baton's has.
fn data_loss(message: &str) -> Status {
    let name = ErrorReason::Internal.as_str_name().trim_start_matches("ERROR_REASON_");
    let details = ErrorDetails::with_error_info(name, DOMAIN, std::collections::HashMap::new());
    Status::with_error_details(Code::DataLoss, message, details)
}
