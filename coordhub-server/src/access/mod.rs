//! Who calls, and from where: decided before anything else looks at a call.
//!
//! `origin` judges where a request comes from, by its head alone; `gate` judges who sends it and
//! whether that is enough for what it asks for; `caller` joins that with whom the call names.

pub mod origin;
pub mod secret;
pub mod gate;
pub mod caller;
pub mod first_admin;
