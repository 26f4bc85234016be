//! Between bytes and the hub's types: the only place that reads JSON requests and writes replies.
//! Quirks of the old hub's clients stop here.

pub mod error;
pub mod fields;
pub mod path;
pub mod request;
pub mod channels;
pub mod reservations;
pub mod credentials;
pub mod reply;
pub mod frame;

pub use error::Problem;
pub use fields::{Field, Fields, Kind, Need};
