//! The simulated switch, judged by what can be heard: the engine in simulated steps, and the program over gRPC.

mod exits;
mod hearing;
mod legs;
mod over_grpc;
mod random;
mod recording;
mod restart;
mod stage;
mod world;
