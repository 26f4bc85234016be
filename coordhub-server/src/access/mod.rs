//! Who calls, and from where: decided before anything else looks at a call.
//!
//! `network` says who may reach the hub, and who is at the other end; `origin` judges where a request
//! comes from, by its head alone; `gate` judges who sends it (by a token, or by a cookie that stands
//! for one: `session`) and whether that is enough for what it asks for; `fair` bounds how much that may
//! be; `refusals` has what was refused counted; `caller` joins who sends it with whom the call names.

pub mod network;
pub mod origin;
pub mod secret;
pub mod session;
pub mod gate;
pub mod fair;
pub mod refusals;
pub mod caller;
pub mod first_admin;
