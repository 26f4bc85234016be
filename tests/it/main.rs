//! The contract, held against the real binary over real sockets, table by table.
//!
//! One binary, so that it links once; one module for each part of the contract. A test starts a hub of its own on a free
//! port and says in three lines what it sends and what must come back; what several modules need is in `support`.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

// What several modules need: forms of objects, tables of cases.
mod support;

// What holds on every route: lenient bodies, query fields, limits, the form and order of refusals.
mod ground_rules;
// Registering, listing, removing; types that stay; presence.
mod entities;
// Sending, reading back, replies and threads, inbox, unread, read cursors, channels, and who may see what.
mod messages;
// Private channels: who comes in, what each then sees on every path, and across a restart.
mod channels;
// Words, phrases and pages of a search, who finds what, and an index that is lost or damaged.
mod search;
// Who has seen a message: acknowledgements, roll-calls, deadlines, and emergencies that bring a task.
mod receipts;
// Removing what a message says, from everywhere and for good.
mod redaction;
// The life of a task, dependencies, and many claimers for one task.
mod tasks;
// Questions to humans: their answers, and what is taken at the deadline.
mod questions;
// Waiting until a task, or a proposal, gets somewhere.
mod waits;
// What waits for one entity and for nobody else.
mod attention;
// Several messages or tasks in one commit, all or none.
mod batches;
// Reserving paths, checking many of them, and handing over all that one holds.
mod reservations;
// Leases and their tokens, lapses, late results, attempts, schedules, falling with a blocker.
mod leases;
// The next task of what one can do: order, and those who wait for it.
mod claim_next;
// Creating, voting, deciding, closing, withdrawing.
mod proposals;
// Sockets: frames in both directions, wrong frames, notices, and resuming by `since`.
mod socket;
// The log as server-sent events: resuming, gaps, the end of a stream, and readers that are slow.
mod stream;
// The client of the library, by which the program asks hubs as well: what it does when hubs fail it.
mod client;
// The endpoints that the UDC convention asks for.
mod udc;
// Which web pages and which `Host` names may drive the hub.
mod origin;
// Who may reach the hub and over what: binds, trusted networks, proxies, TLS, smuggled heads.
mod network;
// nginx and Caddy before the hub, as documented.
mod proxies;
// Signing in to the page: cookies, and where they count.
mod session;
// Buckets and seats: who asks for too much is told so, and others go on.
mod fair;
// Idempotency keys on every route that changes something; a route without a case fails.
mod keys;
// Token mode: every route and operation, and every kind of caller; a route without a row fails.
mod authorization;
// Tokens and invites: how they are made, what ends with them, and where their secrets stand.
mod tokens;
// Who did what and what was refused: what an admin is shown of it, and that it holds neither words nor secrets.
mod audit;
// A hidden message on every route that could show it; a route without a case fails.
mod policy;
// Licences and sources of what the hub is built of.
mod dependencies;
// Clients that mean harm, or are merely broken: sockets by the thousand, smuggled heads, replays, planted secrets.
mod hostile;
// Damaged requests, frames, heads and tokens, at random: refused in form, and no harm done.
mod fuzz;
// The monitor: what is counted, in Prometheus' format.
mod monitor;
// What is logged, names of requests, and what a start says.
mod log;
// The load of `coordhub bench`: its options, its JSON, and what it leaves behind.
mod bench;
// Slow and idle connections, keep-alive, and the end of the hub.
mod connections;
// The scripts of `examples/shell`, with text that broke the old ones.
mod shell;
// The Python programs of `examples/python`, one for each use of a hub.
mod examples;
// `kill -9` under load, a second hub on the file, and files that must be refused untouched.
mod durability;
// A disk that fills up and gets room again.
mod full_disk;
// Data at rest: modes, backups, restores, exports, imports, pruning, the doctor.
mod rest;
// Every documented command, run as documented.
mod docs;
// The unit and the Dockerfile of `deploy/`, against the options that the program has.
mod deploy;
// Rules of the repository itself: layers, sizes, lints.
mod tidy;
