//! Who may read, post, claim, vote: the only place that says so.
//!
//! Policy goes by the type that a reader has now. What one may not read looks as if it were not there.

use crate::{
    event::{
        Event, MessageAcked, MessageRedacted, RollCallOpened, RollCallOverdue, RollCallResolved,
    },
    hub::{Rejection, State},
    ids::{ChannelName, EntityId},
    model::{EntityType, MessageHead, Role},
};

/// What somebody is to the hub.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Standing {
    /// Named or not, but never registered: has no type, and may do only what every type may.
    Unregistered,
    /// Registered, as this type.
    Registered(EntityType),
}

impl Standing {
    /// Whether this is a registered human.
    pub fn is_human(self) -> bool {
        self == Self::Registered(EntityType::Human)
    }
}

/// Somebody who reads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reader {
    /// Its name, where it has one.
    pub id: Option<EntityId>,
    /// What it is.
    pub standing: Standing,
    /// What it may do: admins see what concerns those who run the hub, and no more of what others say.
    pub role: Role,
}

impl Reader {
    /// A reader as the state knows it.
    pub fn new(state: &State, id: Option<EntityId>) -> Self {
        Self { standing: standing(state, id.as_ref()), id, role: Role::Member }
    }

    /// The same, with what its token lets it do.
    #[must_use]
    pub fn in_role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    fn is(&self, id: &EntityId) -> bool {
        self.id.as_ref() == Some(id)
    }
}

/// What the state knows of `id`.
pub fn standing(state: &State, id: Option<&EntityId>) -> Standing {
    match id.and_then(|id| state.entity(id)) {
        Some(entity) => Standing::Registered(entity.entity_type),
        None => Standing::Unregistered,
    }
}

/// Channels that not everyone may read. The others need no look at the reader.
pub const RESTRICTED_CHANNELS: [&str; 1] = ["ai-only"];

/// Whether `channel` is for everyone to read.
pub fn is_public(channel: &ChannelName) -> bool {
    !RESTRICTED_CHANNELS.contains(&channel.as_str())
}

/// Whether messages on `channel` reach everyone at once, subscribed or not.
pub fn is_emergency(channel: &ChannelName) -> bool {
    channel.as_str() == "urgent"
}

/// Whether someone of this standing may read `channel`.
pub fn may_read_channel(standing: Standing, channel: &ChannelName) -> bool {
    match channel.as_str() {
        "ai-only" => is_ai_or_service(standing),
        _ => true,
    }
}

/// The restricted channels that someone of this standing may not read.
pub fn hidden_channels(standing: Standing) -> &'static [&'static str] {
    if is_ai_or_service(standing) { &[] } else { &RESTRICTED_CHANNELS }
}

/// Whether someone of this standing may post to `channel`.
pub fn may_post(standing: Standing, channel: &ChannelName) -> bool {
    match channel.as_str() {
        "ai-only" => is_ai_or_service(standing),
        "human-only" => standing.is_human(),
        _ => true,
    }
}

/// Whether `reader` may subscribe to `channel`; if not, why.
pub fn check_subscribe(reader: &Reader, channel: &ChannelName) -> Result<(), Rejection> {
    if may_read_channel(reader.standing, channel) {
        return Ok(());
    }
    Err(forbidden(reader.id.as_ref(), "subscribe to", channel))
}

/// Whether `sender` may post to `channel`; if not, why.
pub fn check_post(
    state: &State,
    sender: &EntityId,
    channel: &ChannelName,
) -> Result<(), Rejection> {
    if may_post(standing(state, Some(sender)), channel) {
        return Ok(());
    }
    Err(forbidden(Some(sender), "post to", channel))
}

fn forbidden(who: Option<&EntityId>, what: &'static str, channel: &ChannelName) -> Rejection {
    Rejection::ChannelForbidden {
        who: who.map_or_else(|| "an unnamed caller".to_owned(), |id| format!("{id:?}")),
        what,
        channel: channel.clone(),
        rule: match channel.as_str() {
            "human-only" => "registered humans post there, everyone may read it",
            _ => "it is for registered AIs and services",
        },
    }
}

fn is_ai_or_service(standing: Standing) -> bool {
    matches!(standing, Standing::Registered(kind) if kind != EntityType::Human)
}

/// Whether somebody of this standing is of the kind that a task needs.
///
/// The old create script sets `requires_ai` always, so a name that never registered passes, and a
/// task that needs both needs the human.
pub fn is_of_the_kind(standing: Standing, requires_human: bool, requires_ai: bool) -> bool {
    let no_ai = matches!(standing, Standing::Registered(kind) if !kind.is_ai());
    if requires_human { standing.is_human() } else { !(requires_ai && no_ai) }
}

/// Whether `reader` may read the message.
pub fn may_read_message(reader: &Reader, message: &MessageHead) -> bool {
    audience_of_message(&message.from_entity, message.to_entity.as_ref(), message.channel.as_ref())
        .includes(reader)
}

/// Whom an event is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Audience<'a> {
    /// Everyone.
    Everyone,
    /// Whoever may read the channel.
    Channel(&'a ChannelName),
    /// These two and nobody else.
    Pair(&'a EntityId, &'a EntityId),
    /// One entity alone.
    Only(&'a EntityId),
    /// Those who run the hub.
    Admins,
}

impl Audience<'_> {
    /// Whether `reader` is one of them.
    pub fn includes(&self, reader: &Reader) -> bool {
        match self {
            Self::Everyone => true,
            Self::Channel(channel) => may_read_channel(reader.standing, channel),
            Self::Pair(one, other) => reader.is(one) || reader.is(other),
            Self::Only(id) => reader.is(id),
            Self::Admins => reader.role == Role::Admin,
        }
    }
}

/// Whom a message is for.
pub fn audience_of_message<'a>(
    from: &'a EntityId,
    to: Option<&'a EntityId>,
    channel: Option<&'a ChannelName>,
) -> Audience<'a> {
    match (to, channel) {
        (Some(to), _) => Audience::Pair(from, to),
        (None, Some(channel)) => Audience::Channel(channel),
        // No such message is ever made; were there one, only its sender should see it.
        (None, None) => Audience::Only(from),
    }
}

/// Whom an event is for.
pub fn audience(event: &Event) -> Audience<'_> {
    match event {
        Event::MessageSent(message) => audience_of_message(
            &message.from_entity,
            message.to_entity.as_ref(),
            message.channel.as_ref(),
        ),
        Event::ReadCursorMoved(moved) => Audience::Only(&moved.entity_id),
        Event::KeyKept(kept) => Audience::Only(&kept.entity_id),
        Event::InviteMade(_)
        | Event::InviteRevoked(_)
        | Event::TokenIssued(_)
        | Event::TokenUsed(_)
        | Event::TokenRotated(_)
        | Event::TokenRevoked(_) => Audience::Admins,
        Event::MessageRedacted(MessageRedacted { of, .. })
        | Event::RollCallOpened(RollCallOpened { of, .. })
        | Event::MessageAcked(MessageAcked { of, .. })
        | Event::RollCallOverdue(RollCallOverdue { of, .. })
        | Event::RollCallResolved(RollCallResolved { of, .. }) => {
            audience_of_message(&of.from_entity, of.to_entity.as_ref(), of.channel.as_ref())
        }
        _ => Audience::Everyone,
    }
}

/// A part of the messages whose readers are the same. The search index keeps the words of each scope
/// apart, so that a reader's search never touches what it may not read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Scope {
    /// What stands on the channels that everyone may read.
    Public,
    /// What stands on one restricted channel.
    Channel(ChannelName),
    /// The direct messages that one entity sent or got.
    DirectOf(EntityId),
}

impl Audience<'_> {
    /// The scopes in which this audience finds what it is meant for.
    pub fn scopes(&self) -> Vec<Scope> {
        let direct = |id: &EntityId| Scope::DirectOf(id.clone());
        match *self {
            Self::Everyone => vec![Scope::Public],
            Self::Channel(channel) => vec![scope_of_channel(channel)],
            Self::Pair(one, other) if one != other => vec![direct(one), direct(other)],
            Self::Pair(id, _) | Self::Only(id) => vec![direct(id)],
            // None of what admins alone see is searched.
            Self::Admins => Vec::new(),
        }
    }
}

/// The scope of what stands on `channel`.
pub fn scope_of_channel(channel: &ChannelName) -> Scope {
    if is_public(channel) { Scope::Public } else { Scope::Channel(channel.clone()) }
}

/// The scopes that `reader` may search.
pub fn scopes_of(reader: &Reader) -> Vec<Scope> {
    let restricted = RESTRICTED_CHANNELS.iter().map(|name| ChannelName::trusted(name));
    let readable = restricted.filter(|channel| may_read_channel(reader.standing, channel));
    let direct = reader.id.iter().map(|id| Scope::DirectOf(id.clone()));
    [Scope::Public].into_iter().chain(readable.map(Scope::Channel)).chain(direct).collect()
}

/// Whether the task's creator, its holder, a human or an admin calls.
///
/// A task that nobody is named to have created is everybody's, as far as its creator's rights go.
pub(super) fn owns(
    owner: Option<&EntityId>,
    caller: Option<&EntityId>,
    standing: Standing,
) -> bool {
    owner.is_none() || standing.is_human() || (caller.is_some() && owner == caller)
}
