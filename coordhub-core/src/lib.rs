//! The coordination hub as a library. (stub docs)

pub mod ids;
pub mod time;
pub mod limits;
pub mod json;
pub mod model;
pub mod command;
pub mod event;
pub mod hub;
pub mod store;

pub use json::JsonText;
pub use time::Timestamp;
