//! Names of things, parsed once: whoever holds one of these types holds a valid name.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use unicode_normalization::is_nfc;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::limits::{CHANNEL_BYTES_MAX, ID_CHARS_MAX};

/// A position in the hub's one ordered log; the first event has 1, and 0 stands before it.
pub type Seq = u64;

/// Words that stand in routes where an id may stand, and so cannot be ids.
const ROUTE_WORDS: [&str; 11] = [
    "list",
    "create",
    "create-batch",
    "claim-next",
    "recent",
    "for",
    "search",
    "send",
    "send-batch",
    "register",
    "stream",
];

/// Ids that no entity may take: the hub's own voice, and the words that name types.
const RESERVED_ENTITIES: [&str; 7] =
    ["system", "hub", "admin", "claude_session", "ai_agent", "human", "service"];

/// Why a text is not a name; the message says what would be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidName {
    /// Empty, or over the limit.
    #[error("an id has 1 to {ID_CHARS_MAX} characters; this one has {0}")]
    Length(usize),
    /// A character that cannot be seen, turns text round, or separates path segments.
    #[error("an id may not contain {0:?} (no control, format or bidirectional character, no '/')")]
    Character(char),
    /// White space at an end.
    #[error("an id may not begin or end with a space")]
    OuterSpace,
    /// Not in normal form C: the same letters could be written two ways.
    #[error("an id must be in Unicode normal form C; send its composed form")]
    NotNfc,
    /// `.`, `..`, or a word of the routes.
    #[error("{0:?} is a word of the hub's own paths; choose another id")]
    RouteWord(String),
    /// An entity id that belongs to the hub.
    #[error("{0:?} is reserved for the hub; choose another entity id")]
    Reserved(String),
    /// Not a channel name.
    #[error(
        "{0:?} is not a channel name: 1 to {CHANNEL_BYTES_MAX} of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit"
    )]
    Channel(String),
    /// A channel name that could be taken for a built-in one.
    #[error("{0:?} could be taken for the built-in channel {1:?}; use {1:?}")]
    NearBuiltIn(String, &'static str),
}

fn check_id(text: &str) -> Result<(), InvalidName> {
    if text.is_ascii() {
        if text.is_empty() || text.len() > ID_CHARS_MAX {
            return Err(InvalidName::Length(text.len()));
        }
        if let Some(bad) = text.bytes().find(|b| b.is_ascii_control() || *b == b'/') {
            return Err(InvalidName::Character(char::from(bad)));
        }
    } else {
        let count = text.chars().count();
        if count > ID_CHARS_MAX {
            return Err(InvalidName::Length(count));
        }
        if let Some(bad) = text.chars().find(|c| *c == '/' || is_invisible(*c)) {
            return Err(InvalidName::Character(bad));
        }
        if !is_nfc(text) {
            return Err(InvalidName::NotNfc);
        }
    }
    if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
        return Err(InvalidName::OuterSpace);
    }
    if text == "." || text == ".." || ROUTE_WORDS.contains(&text) {
        return Err(InvalidName::RouteWord(text.to_owned()));
    }
    Ok(())
}

/// Control, format (the bidirectional marks are of these), line and paragraph separators.
fn is_invisible(c: char) -> bool {
    matches!(
        c.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    )
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Reads a name from outside, or says why it is none.
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                let check: fn(&str) -> Result<(), InvalidName> = $check;
                check(text)?;
                Ok(Self(text.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        /// Names are read back from the hub's own store, where only valid ones were written; rules
        /// that have been tightened since must not make an old file unreadable.
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                if text.is_empty() {
                    return Err(de::Error::custom("a name is empty"));
                }
                Ok(Self(text.as_ref().into()))
            }
        }

        impl $name {
            /// A name that the hub itself wrote or made, taken as it is.
            pub(crate) fn trusted(text: &str) -> Self {
                Self(text.into())
            }
        }
    };
}

name_type!(
    /// Who takes part: a session, an agent, a person, a service.
    EntityId,
    |text| {
        check_id(text)?;
        if RESERVED_ENTITIES.contains(&text) {
            return Err(InvalidName::Reserved(text.to_owned()));
        }
        Ok(())
    }
);
name_type!(
    /// The id of a message, made by the hub.
    MessageId,
    check_id
);
name_type!(
    /// The id of a task, made by the hub or chosen by its creator.
    TaskId,
    check_id
);
name_type!(
    /// The id of a proposal, made by the hub or chosen by its proposer.
    ProposalId,
    check_id
);
name_type!(
    /// The id of a reservation, made by the hub.
    ReservationId,
    check_id
);
name_type!(
    /// The id of a token, made by the hub: it names the token and opens nothing.
    TokenId,
    check_id
);
name_type!(
    /// The id of an invite, made by the hub: it names the invite and opens nothing.
    InviteId,
    check_id
);
name_type!(
    /// The name of a channel.
    ChannelName,
    check_channel
);

impl EntityId {
    /// The hub's own voice: the actor of what it decides by itself, the sender of notices.
    pub fn system() -> Self {
        Self::trusted("system")
    }

    /// Whoever runs the hub: as whom the token acts that the hub makes at its first start.
    pub fn admin() -> Self {
        Self::trusted("admin")
    }
}

/// The channels every hub has.
pub const BUILT_IN_CHANNELS: [&str; 6] =
    ["general", "urgent", "ai-only", "human-only", "technical", "strategic"];

fn check_channel(text: &str) -> Result<(), InvalidName> {
    if BUILT_IN_CHANNELS.contains(&text) {
        return Ok(());
    }
    let folded: String =
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let near = BUILT_IN_CHANNELS.into_iter().find(|name| name.replace('-', "") == folded);
    if let Some(name) = near {
        return Err(InvalidName::NearBuiltIn(text.to_owned(), name));
    }
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let rest = bytes
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'));
    if first && rest && text.len() <= CHANNEL_BYTES_MAX {
        Ok(())
    } else {
        Err(InvalidName::Channel(text.chars().take(CHANNEL_BYTES_MAX).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(), InvalidName>) {
        assert_eq!(EntityId::parse(text).map(|_| ()), expected, "{text:?}");
    }

    #[test]
    fn entity_ids() {
        check("session-5", Ok(()));
        check("gpt 4 / no".split('/').next().expect("one").trim(), Ok(()));
        check("Zoë", Ok(()));
        check("名前", Ok(()));
        check(&"x".repeat(128), Ok(()));
        check(&"é".repeat(128), Ok(()));
        check("", Err(InvalidName::Length(0)));
        check(&"x".repeat(129), Err(InvalidName::Length(129)));
        check(&"é".repeat(129), Err(InvalidName::Length(129)));
        check("a/b", Err(InvalidName::Character('/')));
        check("é/b", Err(InvalidName::Character('/')));
        check("a\u{0}b", Err(InvalidName::Character('\0')));
        check("a\u{7f}b", Err(InvalidName::Character('\u{7f}')));
        check("a\u{202e}b", Err(InvalidName::Character('\u{202e}')));
        check("a\u{200b}b", Err(InvalidName::Character('\u{200b}')));
        check("a\u{2028}b", Err(InvalidName::Character('\u{2028}')));
        check("a\u{85}b", Err(InvalidName::Character('\u{85}')));
        check("Zoe\u{308}", Err(InvalidName::NotNfc));
        check(" a", Err(InvalidName::OuterSpace));
        check("a\u{a0}", Err(InvalidName::OuterSpace));
        check(".", Err(InvalidName::RouteWord(".".into())));
        check("..", Err(InvalidName::RouteWord("..".into())));
        check("claim-next", Err(InvalidName::RouteWord("claim-next".into())));
        check("system", Err(InvalidName::Reserved("system".into())));
        check("human", Err(InvalidName::Reserved("human".into())));
    }

    #[test]
    fn channel_names() {
        for good in ["general", "ai-only", "a", "0x", "a.b_c-d", &"c".repeat(64)] {
            assert!(ChannelName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", ".a", "A", "a b", "ä", "a/b", &"c".repeat(65)] {
            let got = ChannelName::parse(bad);
            assert!(matches!(got, Err(InvalidName::Channel(_))), "{bad}: {got:?}");
        }
        for (near, built_in) in [
            ("AI-only", "ai-only"),
            ("ai_only", "ai-only"),
            ("aionly", "ai-only"),
            ("General", "general"),
            ("u.r.g.e.n.t", "urgent"),
            ("human only", "human-only"),
        ] {
            let got = ChannelName::parse(near);
            assert_eq!(got, Err(InvalidName::NearBuiltIn(near.to_owned(), built_in)), "{near}");
        }
    }
}
