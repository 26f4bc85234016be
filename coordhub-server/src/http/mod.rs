//! The HTTP face. Start reading at [`router`]: its table is the list of what the hub can do.

pub mod router;
pub mod call;
pub mod handle;
pub mod entities;
pub mod messages;
pub mod channels;
pub mod take_back;
pub mod tasks;
pub mod waits;
pub mod reservations;
pub mod proposals;
pub mod events;
pub mod stream;
pub mod udc;
pub mod session;
pub mod admin;
pub mod audit;
pub mod openapi;
pub mod docs;
pub mod request_id;
pub mod layers;
pub mod page;
