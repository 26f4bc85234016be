//! The pure hub, by tables of cases: what is asked, and what comes of it.

mod world;
mod entities;
mod messages;
mod tasks;
mod leases;
mod claim_next;
mod channels;
mod roll_calls;
mod reservations;
mod handoff;
mod proposals;
mod policy;
mod credentials;

use world::{World, id};
