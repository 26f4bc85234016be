//! Deciding about private channels: who makes one, and who belongs to it.
//!
//! A channel is private from its first moment, and stays so: none that everybody could read is closed,
//! and none is opened. So what stands on it was never anybody else's to read.

use std::collections::BTreeSet;

use super::{Answer, Decision, Desk, Rejection, policy};
use crate::{
    command::{CreateChannel, InviteToChannel},
    event::{ChannelCreated, ChannelMemberJoined, ChannelMemberLeft, Event},
    ids::{ChannelName, EntityId},
    limits::CHANNEL_MEMBERS_MAX,
    model::Membership,
};

impl Desk<'_> {
    pub(super) fn create_channel(&self, command: &CreateChannel) -> Result<Decision, Rejection> {
        let caller = self.envelope.caller.id.as_ref();
        let members: BTreeSet<EntityId> = command.members.iter().chain(caller).cloned().collect();
        members.iter().try_for_each(|id| self.check_registered(id))?;
        check_members_max(members.len())?;
        self.check_channels_max(&command.channel, 0)?;
        let creator = self.caller()?;
        if self.state.channel(&command.channel).is_some() {
            return Err(Rejection::ChannelExists(command.channel.clone()));
        }
        let event = ChannelCreated {
            channel: command.channel.clone(),
            created_by: creator.clone(),
            members,
            types: command.types.clone(),
        };
        let answer = Answer::Channel { channel: command.channel.clone(), already: false };
        Ok(Decision::new(Event::ChannelCreated(event), answer))
    }

    pub(super) fn join_channel(&self, channel: &ChannelName) -> Result<Decision, Rejection> {
        let (caller, membership) = self.membership(channel)?;
        if membership.members.contains_key(caller) {
            return Ok(nothing(channel));
        }
        check_members_max(membership.members.len() + 1)?;
        Ok(happened(channel, vec![joined(channel, caller)]))
    }

    pub(super) fn leave_channel(&self, channel: &ChannelName) -> Result<Decision, Rejection> {
        let (caller, membership) = self.membership(channel)?;
        if !membership.members.contains_key(caller) {
            return Ok(nothing(channel));
        }
        let left = ChannelMemberLeft { channel: channel.clone(), entity_id: caller.clone() };
        Ok(happened(channel, vec![Event::ChannelMemberLeft(left)]))
    }

    pub(super) fn invite_to_channel(
        &self,
        command: &InviteToChannel,
    ) -> Result<Decision, Rejection> {
        let InviteToChannel { channel, members } = command;
        let (caller, membership) = self.membership(channel)?;
        members.iter().try_for_each(|id| self.check_registered(id))?;
        let is_new = |id: &&EntityId| !membership.members.contains_key(*id);
        let new: BTreeSet<&EntityId> = members.iter().filter(is_new).collect();
        check_members_max(membership.members.len() + new.len())?;
        if !membership.members.contains_key(caller) {
            let detail = format!("only a member invites others to {channel:?}; join it first");
            return Err(Rejection::NotAllowed(detail));
        }
        if new.is_empty() {
            return Ok(nothing(channel));
        }
        Ok(happened(channel, new.into_iter().map(|id| joined(channel, id)).collect()))
    }

    /// The caller, and who belongs to a private channel that it may see. One that it may not see is not
    /// there, and nobody sees one who is not named.
    fn membership(&self, channel: &ChannelName) -> Result<(&EntityId, &Membership), Rejection> {
        let caller = self.envelope.caller.id.as_ref();
        caller.map_or(Ok(()), |caller| self.check_registered(caller))?;
        let reader = policy::Reader::new(self.state, caller.cloned());
        let is_visible = policy::may_read_channel(&reader, channel);
        match self.state.private_channels().get(channel) {
            Some(membership) if is_visible => Ok((self.caller()?, membership)),
            None if self.state.channel(channel).is_some() => {
                let detail = format!("{channel:?} is no private channel: it has no members");
                Err(Rejection::invalid("channel", detail))
            }
            _ => Err(Rejection::UnknownChannel(channel.clone())),
        }
    }

    /// Members are registered: another who takes the name of one that is gone is nobody there.
    fn check_registered(&self, id: &EntityId) -> Result<(), Rejection> {
        match self.state.entity(id) {
            Some(_) => Ok(()),
            None => Err(Rejection::UnknownEntity(id.clone())),
        }
    }
}

fn check_members_max(members: usize) -> Result<(), Rejection> {
    if members > CHANNEL_MEMBERS_MAX {
        let detail = format!("a private channel has at most {CHANNEL_MEMBERS_MAX} members");
        return Err(Rejection::invalid("members", detail));
    }
    Ok(())
}

fn joined(channel: &ChannelName, id: &EntityId) -> Event {
    let joined = ChannelMemberJoined { channel: channel.clone(), entity_id: id.clone() };
    Event::ChannelMemberJoined(joined)
}

fn happened(channel: &ChannelName, events: Vec<Event>) -> Decision {
    Decision::of(events, Answer::Channel { channel: channel.clone(), already: false })
}

fn nothing(channel: &ChannelName) -> Decision {
    Decision::nothing(Answer::Channel { channel: channel.clone(), already: true })
}
