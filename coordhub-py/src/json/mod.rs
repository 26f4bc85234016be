//! Between JSON texts and plain Python objects, straight.

mod keys;
mod read;
mod write;

pub(crate) use read::to_python;
pub(crate) use write::to_json;
