//! Who may read, post, claim, vote: the only place that says so.
//!
//! Policy goes by the type that a reader has now. What one may not read looks as if it were not there.

use std::sync::Arc;

use crate::{
    event::{
        ChannelCreated, ChannelMemberJoined, ChannelMemberLeft, Event, MessageAcked,
        MessageRedacted, RollCallOpened, RollCallOverdue, RollCallResolved,
    },
    hub::{PrivateChannels, Rejection, State},
    ids::{ChannelName, EntityId, Seq},
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
    /// The type, where it has one.
    pub fn entity_type(self) -> Option<EntityType> {
        match self {
            Self::Unregistered => None,
            Self::Registered(kind) => Some(kind),
        }
    }

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
    /// The private channels, and who belongs to each.
    pub private: Arc<PrivateChannels>,
}

impl Reader {
    /// A reader as the state knows it.
    pub fn new(state: &State, id: Option<EntityId>) -> Self {
        Self {
            standing: standing(state, id.as_ref()),
            private: state.private_channels().clone(),
            id,
            role: Role::Member,
        }
    }

    /// The same, with what its token lets it do.
    #[must_use]
    pub fn in_role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    /// The private channels that it may read. Costs nothing for those that it may not.
    pub fn private_channels(&self) -> impl Iterator<Item = &ChannelName> {
        let registered = self.id.as_ref().zip(self.standing.entity_type());
        registered.into_iter().flat_map(|(id, kind)| self.private.readable(id, kind))
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

/// Built-in channels that not everyone may read. Of the others, only private ones need a look at the
/// reader.
pub const RESTRICTED_CHANNELS: [&str; 1] = ["ai-only"];

/// Whether `channel` is for everyone to read. Never changes: a channel that exists does not become
/// private.
pub fn is_public(private: &PrivateChannels, channel: &ChannelName) -> bool {
    !RESTRICTED_CHANNELS.contains(&channel.as_str()) && !private.contains(channel)
}

/// Whether messages on `channel` reach everyone at once, subscribed or not.
pub fn is_emergency(channel: &ChannelName) -> bool {
    channel.as_str() == "urgent"
}

/// Whether `reader` may read `channel`.
pub fn may_read_channel(reader: &Reader, channel: &ChannelName) -> bool {
    if channel.as_str() == "ai-only" {
        return is_ai_or_service(reader.standing);
    }
    let Some(membership) = reader.private.get(channel) else { return true };
    let registered = reader.id.as_ref().zip(reader.standing.entity_type());
    registered.is_some_and(|(id, kind)| membership.admits(id, kind))
}

/// Whether everybody who is registered as this type may read `channel`.
pub fn is_open_to(state: &State, kind: EntityType, channel: &ChannelName) -> bool {
    match state.private_channels().get(channel) {
        Some(membership) => membership.types.contains(&kind),
        None => channel.as_str() != "ai-only" || is_ai_or_service(Standing::Registered(kind)),
    }
}

/// The members of a private channel; none of another.
pub fn members<'a>(
    state: &'a State,
    channel: &ChannelName,
) -> impl Iterator<Item = &'a EntityId> + use<'a> {
    let membership = state.private_channels().get(channel);
    membership.into_iter().flat_map(|membership| membership.members.keys())
}

/// Since when a registered entity has been a reader of `channel`; `None` where it is none.
pub fn reads_since(state: &State, id: &EntityId, channel: &ChannelName) -> Option<Seq> {
    let entity = state.entity(id)?;
    if is_open_to(state, entity.entity_type, channel) {
        return Some(entity.registered_seq);
    }
    state.private_channels().get(channel)?.members.get(id).copied()
}

/// The restricted built-in channels that someone of this standing may not read.
pub fn hidden_channels(standing: Standing) -> &'static [&'static str] {
    if is_ai_or_service(standing) { &[] } else { &RESTRICTED_CHANNELS }
}

/// Whether `sender` may post to `channel`.
pub fn may_post(sender: &Reader, channel: &ChannelName) -> bool {
    match channel.as_str() {
        "human-only" => sender.standing.is_human(),
        _ => may_read_channel(sender, channel),
    }
}

/// Whether `reader` may subscribe to `channel`; if not, why.
///
/// A private channel that it may not read is one that nobody has made yet, as far as it can tell: it
/// may subscribe to that, and is shown nothing until it may read it.
pub fn check_subscribe(reader: &Reader, channel: &ChannelName) -> Result<(), Rejection> {
    if may_read_channel(reader, channel) || reader.private.contains(channel) {
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
    if may_post(&Reader::new(state, Some(sender.clone())), channel) {
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
            "ai-only" => "it is for registered AIs and services",
            // That the name is taken cannot be hidden; nothing else is told.
            _ => "the name is taken, by a channel that you are no member of; choose another",
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
            Self::Channel(channel) => may_read_channel(reader, channel),
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
        // Who has left may see no more of it, that it left included.
        Event::ChannelCreated(ChannelCreated { channel, .. })
        | Event::ChannelMemberJoined(ChannelMemberJoined { channel, .. })
        | Event::ChannelMemberLeft(ChannelMemberLeft { channel, .. }) => Audience::Channel(channel),
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
    /// What stands on one channel that is restricted or private.
    Channel(ChannelName),
    /// The direct messages that one entity sent or got.
    DirectOf(EntityId),
}

impl Audience<'_> {
    /// The scopes in which this audience finds what it is meant for.
    pub fn scopes(&self, private: &PrivateChannels) -> Vec<Scope> {
        let direct = |id: &EntityId| Scope::DirectOf(id.clone());
        match *self {
            Self::Everyone => vec![Scope::Public],
            Self::Channel(channel) => vec![scope_of_channel(private, channel)],
            Self::Pair(one, other) if one != other => vec![direct(one), direct(other)],
            Self::Pair(id, _) | Self::Only(id) => vec![direct(id)],
            // None of what admins alone see is searched.
            Self::Admins => Vec::new(),
        }
    }
}

/// The scope of what stands on `channel`.
pub fn scope_of_channel(private: &PrivateChannels, channel: &ChannelName) -> Scope {
    match is_public(private, channel) {
        true => Scope::Public,
        false => Scope::Channel(channel.clone()),
    }
}

/// The scopes that `reader` may search.
pub fn scopes_of(reader: &Reader) -> Vec<Scope> {
    let restricted = RESTRICTED_CHANNELS.iter().map(|name| ChannelName::trusted(name));
    let readable = restricted.filter(|channel| may_read_channel(reader, channel));
    let readable = readable.chain(reader.private_channels().cloned());
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
