//! What the bus promises, on real files: one binary, a module per subject.

mod consumer;
mod log;
mod relay;
mod service;
mod support;
