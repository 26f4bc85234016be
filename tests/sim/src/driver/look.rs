//! Everything that can be seen of a hub, held against the model.

mod messages;
mod tasks;
mod events;

use std::fmt::Debug;

use coordhub_core::{Hub, ids::EntityId};

use super::credentials;
use crate::model::{Mismatch, Model};

/// Compares everything.
pub(super) fn look(hub: &Hub, model: &Model) -> Result<(), Mismatch> {
    if hub.head_seq() != model.head {
        return Err(Mismatch(format!("the head is {} and not {}", hub.head_seq(), model.head)));
    }
    tasks::look(hub, model)?;
    hub.with_state(|state| credentials::look(state.credentials(), model))?;
    let mut readers: Vec<Option<EntityId>> = model.entities.keys().cloned().map(Some).collect();
    // Who was never registered, who perhaps was and is gone, and who has no name.
    let others = ["ghost", "dan", "bo"].map(|name| EntityId::parse(name).expect("an id"));
    readers.extend(others.into_iter().filter(|id| !model.entities.contains_key(id)).map(Some));
    readers.push(None);
    for reader in &readers {
        messages::look(hub, model, reader.as_ref())?;
        events::look(hub, model, reader.as_ref())?;
    }
    Ok(())
}

/// Two things that must be the same.
fn same<T: Debug + PartialEq>(what: &str, is: &T, due: &T) -> Result<(), Mismatch> {
    if is == due {
        return Ok(());
    }
    Err(Mismatch(format!("{what} is {is:?} and not {due:?}")))
}

fn failed(what: &str, why: &dyn Debug) -> Mismatch {
    Mismatch(format!("{what}: {why:?}"))
}
