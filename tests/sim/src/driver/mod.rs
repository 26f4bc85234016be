//! Makes sequences, plays them to a hub and to the model, and compares.

mod rng;
mod step;
mod ids;
mod generate;
mod answers;
mod tasks;
mod credentials;
mod pure;
mod pure_player;
mod hands;
mod faulty;
mod engine_player;
mod look;
mod play;
mod shrink;

pub use generate::Theme;
pub use play::{Failure, Kind, Report, replay, run};
pub use rng::Rng;
pub use shrink::shrink;
pub use step::{Ask, Step};
