//! The hub, held to its contract by random sequences.
//!
//! [`model`] says in plain maps what a client can rely on, and knows nothing of how the hub decides.
//! [`driver`] makes sequences of commands, time, restarts and failures from a seed, plays each to the
//! hub and to the model, and compares whatever a client could see. A sequence that fails is cut down
//! to the steps that are needed for it.

pub mod model;
pub mod driver;
