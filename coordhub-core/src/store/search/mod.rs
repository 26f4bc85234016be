//! The search index: which words stand where. It is made of the log, runs a little behind it, and can
//! be dropped at any time.
//!
//! The log is cut into blocks of 65,536 places. For each block, scope and word the index has the
//! places as a set of bits, or as a list where they are few; a block is written once, when it is
//! full. Until then it is in memory: the [`tail`]. A search goes through the blocks from the newest
//! to the oldest and joins sets, so that two words cost the same whether they are common, rare, or
//! never together. What it finds is read from the hub's file and held against the query once more.
//!
//! A scope is a part of the messages whose readers are the same (`hub::policy`), and each has words
//! of its own: what one may not read costs one's searches nothing.

mod words;
mod query;
mod places;
mod pages;
mod tail;
mod file;
mod index;

pub(in crate::store) use file::look;
pub(crate) use index::{Candidates, Index, IndexError, LookUp};
pub use query::SearchWords;

#[cfg(test)]
mod tests;
