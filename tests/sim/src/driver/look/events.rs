//! The log, as each reader sees it.

use coordhub_core::{
    Hub,
    command::Role,
    ids::EntityId,
    subscribe::{Channels, Filter, Item, Next, Show, Start},
};

use super::{failed, same};
use crate::model::{Mismatch, Model};

pub(super) fn look(hub: &Hub, model: &Model, id: Option<&EntityId>) -> Result<(), Mismatch> {
    let filter = Filter {
        reader: id.cloned(),
        role: Role::Member,
        channels: Channels::All,
        show: Show::Log { kinds: None },
    };
    let mut stream = hub.subscribe(filter, Start::After(0));
    let mut seen = Vec::new();
    let mut text = Vec::new();
    loop {
        match stream.try_next() {
            Next::Item(Item::Shown(entry, _)) => {
                seen.push(entry.seq());
                text.extend_from_slice(&entry.event_json());
            }
            Next::Item(Item::Cursor(_)) => {}
            Next::Item(Item::Gap(gap)) => return Err(failed("the log", &gap)),
            Next::Behind => stream.catch_up().map_err(|why| failed("the log", &why))?,
            Next::Idle => break,
        }
    }
    let reader = model.reader(id);
    same(&format!("what {id:?} sees of the log"), &seen, &model.visible_seqs(&reader))?;
    // What was said and is hidden from this reader, or was redacted, must not be found anywhere.
    let text = String::from_utf8_lossy(&text);
    for message in model.messages.values() {
        let shows = reader.sees(&message.audience()) && !message.redacted;
        if text.contains(&message.said) != shows {
            let what = format!("{id:?} finds {} in the log: {}", message.said, !shows);
            return Err(Mismatch(what));
        }
    }
    Ok(())
}
