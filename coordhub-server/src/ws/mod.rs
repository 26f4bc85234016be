//! `WS /ws/{entity_id}`: the session is pure, the socket drives it.

pub mod session;
mod presence;
mod under_way;
mod outgoing;
mod calls;
mod socket;
mod upgrade;

pub use upgrade::upgrade;
