//! Pages of messages for those who are members of private channels, from memory and from the file.

use super::*;
use crate::{command::CreateChannel, limits::Limits};

/// What a reader is shown, as `seq`s; and whether it was read from memory.
fn recent(hub: &Hub, reader: &str, query: &RecentQuery) -> (Vec<Seq>, bool) {
    let reader = hub.reader(Some(id(reader)));
    let is_hot = hub.recent_hot(&reader, query).is_some();
    (seqs(&hub.recent(&reader, query).expect("readable").items), is_hot)
}

fn seqs(items: &[bytes::Bytes]) -> Vec<Seq> {
    let seq = |json: &bytes::Bytes| serde_json::from_slice::<Message>(json).expect("one").seq;
    items.iter().map(seq).collect()
}

/// A page of what a reader may read, found by looking at all of it.
fn page(own: &[Seq], query: &RecentQuery) -> Vec<Seq> {
    let (after, before) = (query.after.unwrap_or(0), query.before.unwrap_or(Seq::MAX));
    let within: Vec<Seq> = own.iter().copied().filter(|s| *s > after && *s < before).collect();
    let len = within.len().min(query.limit);
    match query.after {
        Some(_) => within[..len].to_vec(),
        None => within[within.len() - len..].to_vec(),
    }
}

#[test]
fn pages_are_the_same_from_memory_and_from_the_file() {
    let (mut hot, mut cold) = (0, 0);
    for rings_bytes_max in [64 << 20, 20_000, 1_000] {
        let limits = Limits { rings_bytes_max, ..Limits::default() };
        let hub = Hub::builder().limits(limits).in_memory().expect("opens");
        register(&hub, "ada", EntityType::Human);
        register(&hub, "bo", EntityType::AiAgent);
        for name in ["crew", "lab", "den"] {
            let members = if name == "den" { vec![] } else { vec![id("bo")] };
            let command = CreateChannel { channel: channel(name), members, types: [].into() };
            hub.call(Caller::named(id("ada")), Command::CreateChannel(command)).expect("made");
        }
        // Of each reader, what it may read.
        let (mut ada, mut bo, mut eve) = (Vec::new(), Vec::new(), Vec::new());
        let names = ["general", "crew", "den", "general", "lab", "technical", "den", "crew"];
        for nth in 0..160 {
            // Some of them fall silent, so that their rings are let go.
            let name = if nth < 80 { names[nth % 8] } else { names[nth % 4] };
            let (caller, command) = say_on(name, &"word ".repeat(nth % 7));
            let seq = hub.call(caller, command).expect("sent").seq;
            let reads: &mut [&mut Vec<Seq>] = match name {
                "den" => &mut [&mut ada],
                "crew" | "lab" => &mut [&mut ada, &mut bo],
                _ => &mut [&mut ada, &mut bo, &mut eve],
            };
            reads.iter_mut().for_each(|own| own.push(seq));
        }
        for (reader, own) in [("ada", &ada), ("bo", &bo), ("eve", &eve)] {
            for at in [None, Some(0), Some(40), Some(120), Some(own[own.len() - 2])] {
                for limit in [1, 7, 50, 1_000] {
                    let forwards = RecentQuery { after: at, limit, ..RecentQuery::default() };
                    let back = RecentQuery { before: at, limit, ..RecentQuery::default() };
                    for query in [forwards, back] {
                        let (found, is_hot) = recent(&hub, reader, &query);
                        assert_eq!(found, page(own, &query), "{reader} {query:?} hot: {is_hot}");
                        *(if is_hot { &mut hot } else { &mut cold }) += 1;
                    }
                    let query = InboxQuery {
                        after: at,
                        limit,
                        unread: Unread::AndRead,
                        only_direct: OnlyDirect::No,
                    };
                    let of = RecentQuery { after: at, limit, ..RecentQuery::default() };
                    let expected = if reader == "ada" { Vec::new() } else { page(own, &of) };
                    let inbox = hub.inbox(&hub.reader(Some(id(reader))), &query).expect("readable");
                    assert_eq!(seqs(&inbox.items), expected, "inbox of {reader} {query:?}");
                }
            }
        }
    }
    assert!(hot > 50 && cold > 50, "{hot} from memory, {cold} from the file");
}
