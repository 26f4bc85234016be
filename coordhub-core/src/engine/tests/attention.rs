//! What waits for one entity.

use super::*;
use crate::command::{Ack, Remove};

#[test]
fn who_comes_back_as_something_else_is_not_shown_what_it_may_no_longer_read() {
    let hub = Hub::in_memory().expect("opens");
    register(&hub, "bo", EntityType::AiAgent);
    register(&hub, "dan", EntityType::Service);
    let caller = || Caller::named(id("bo"));
    for name in ["ai-only", "general"] {
        let send = Send { ack: Ack::Asked, ..Send::on_channel(id("bo"), channel(name), name) };
        hub.call(caller(), Command::Send(send)).expect("sent");
    }
    let owed = || {
        let owed = hub.attention(&id("dan")).expect("registered").acks_owed;
        let content = |json: &bytes::Bytes| {
            serde_json::from_slice::<Message>(json).expect("a message").content
        };
        owed.iter().map(content).collect::<Vec<_>>()
    };
    assert_eq!(owed(), ["ai-only", "general"]);
    let remove = Command::Remove(Remove { entity_id: id("dan") });
    hub.call(Caller::named(id("dan")), remove).expect("removed");
    register(&hub, "dan", EntityType::Human);
    assert_eq!(owed(), ["general"]);
}
