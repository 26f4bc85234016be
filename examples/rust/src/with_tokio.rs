//! The same hub from tokio. The library knows nothing of any runtime: its tickets and subscriptions are plain futures.
//!
//! Eight tasks send messages, many of them under way at once. A follower reads the log from its very beginning while they
//! do. The window of recent events is made tiny here, so that the follower falls behind it and has to read the store,
//! which is the one thing that must not be done on an async thread.

use std::error::Error;

use coordhub_core::{
    Hub,
    command::{Caller, Command, Role, Send},
    ids::{ChannelName, EntityId},
    limits::Limits,
    subscribe::{Channels, Filter, Item, Next, Show, Start, Subscription},
};
use tokio::task::{JoinSet, spawn_blocking};

/// An error of a task must be able to leave it.
type Failure = Box<dyn Error + std::marker::Send + Sync>;

const SENDERS: usize = 8;
const MESSAGES_EACH: usize = 250;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    // Opening may block: it reads a file and checks it.
    let limits = Limits { window_bytes_max: 16 * 1024, ..Limits::default() };
    let hub = spawn_blocking(move || Hub::builder().limits(limits).in_memory()).await??;

    let mut senders = JoinSet::new();
    for number in 1..=SENDERS {
        senders.spawn(send_all(hub.clone(), number));
    }
    // From the beginning of the log; a client that comes back would name the last position it saw.
    let everything = Filter {
        reader: None,
        role: Role::Member,
        channels: Channels::All,
        show: Show::Log { kinds: None },
    };
    let following = tokio::spawn(follow(hub.subscribe(everything, Start::After(0))));

    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    let (shown, pages) = following.await??;
    assert_eq!(shown, SENDERS * MESSAGES_EACH, "every message was seen");
    println!(
        "{shown} messages in {} transactions; the follower saw each once, in order, and read {pages} pages of the store",
        hub.commits()
    );

    // Closing waits for the writer to end.
    spawn_blocking(move || hub.close()).await?;
    Ok(())
}

/// Sends all of one sender's messages without waiting in between, then waits for their answers.
async fn send_all(hub: Hub, number: usize) -> Result<(), Failure> {
    let sender = EntityId::parse(&format!("sender-{number}"))?;
    let channel = ChannelName::parse("general")?;
    let mut tickets = Vec::new();
    for count in 1..=MESSAGES_EACH {
        let send = Send::on_channel(sender.clone(), channel.clone(), format!("message {count}"));
        // Never blocks. A full queue is `HubError::Busy` at once, and then it is for the caller to slow down.
        tickets.push(hub.submit(Caller::named(sender.clone()), Command::Send(send))?);
    }
    let mut last = 0;
    for ticket in tickets {
        // Ready when the message is on disk, and seen by every reader from then on.
        let reply = ticket.await?;
        assert!(reply.seq > last, "one sender's messages keep their order");
        last = reply.seq;
    }
    Ok(())
}

/// Follows the log until it has seen every message; how many it saw, and how many pages it read from the store.
async fn follow(mut subscription: Subscription) -> Result<(usize, usize), Failure> {
    let (mut shown, mut pages, mut position) = (0, 0, 0);
    while shown < SENDERS * MESSAGES_EACH {
        match subscription.next().await {
            Next::Item(Item::Shown(entry, _)) => {
                assert_eq!(entry.seq(), position + 1, "no hole, and nothing twice");
                position = entry.seq();
                shown += 1;
            }
            Next::Item(_) => {}
            // Reading the store blocks, so it is done where blocking is allowed.
            Next::Behind => {
                subscription =
                    spawn_blocking(move || subscription.catch_up().map(|()| subscription))
                        .await??;
                pages += 1;
            }
            // `next` waits instead of saying this, unless the hub has closed.
            Next::Idle => return Err("the hub closed".into()),
        }
    }
    Ok((shown, pages))
}
