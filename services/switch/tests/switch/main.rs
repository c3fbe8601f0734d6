//! The simulated switch, checked by what phones hear: the engine in simulated steps, and the program over gRPC.

mod exits;
mod flows;
mod harness;
mod hearing;
mod legs;
mod over_grpc;
mod random;
mod recording;
mod restart;
mod running_switch;
