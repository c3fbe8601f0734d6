//! IVR flows.

super::named::named_messages!(IvrFlow in "ivr_flows", "ivr_flow_id", "flow");
