//! Who calls, and from where: decided before anything else looks at a call.

pub mod caller;
pub mod origin;
