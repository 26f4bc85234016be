//! What goes out to a socket's client, as frames.

use axum::extract::ws::{Message, Utf8Bytes};
use coordhub_core::subscribe::Item;

/// What a subscription shows, as the frame that is sent.
pub(super) fn frame_of(item: &Item) -> Option<Message> {
    match item {
        Item::Shown(entry, view) => {
            let frame = entry.frame(*view)?;
            // Frames are made of text; checking that again costs less than a copy.
            Some(Message::Text(Utf8Bytes::try_from(frame).ok()?))
        }
        Item::Cursor(seq) => Some(text(cursor_frame(*seq))),
        Item::Gap(gap) => Some(text(format!(
            "{{\"type\":\"gap\",\"reason\":\"{}\",\"oldest_seq\":{},\"head_seq\":{}}}",
            gap.reason.as_str(),
            gap.oldest_seq,
            gap.head_seq
        ))),
    }
}

/// How far a client has come.
pub(super) fn cursor_frame(seq: u64) -> String {
    format!("{{\"type\":\"cursor\",\"seq\":{seq}}}")
}

/// A frame of text.
pub(super) fn text(frame: String) -> Message {
    Message::Text(frame.into())
}
