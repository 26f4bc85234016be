//! What the contract says a hub is: plain maps, changed by one command at a time.
//!
//! Nothing here was taken from the hub's own rules. Where the contract leaves several refusals open,
//! the model allows all of them; ids that the hub makes, and the `seq` of each event, are read from
//! the hub's log ([`Feed`]) after the model has said which events must stand there.

mod refusals;
mod entities;
mod credentials;
mod messages;
mod channels;
mod roll_calls;
mod tasks;
mod claims;
mod endings;
mod due;
mod waiting;
mod proposals;
mod tally;
mod keys;
mod feed;
mod sight;

use std::collections::{BTreeMap, BTreeSet};

use coordhub_core::{
    Request, Timestamp,
    command::{Auth, Caller, Command, Role},
    ids::{ChannelName, EntityId, InviteId, MessageId, ProposalId, Seq, TaskId, TokenId},
};

pub use channels::Crew;
pub use credentials::{Invite, Shown, Token};
pub use entities::Entity;
pub use feed::{Fact, Feed, Mismatch};
pub use keys::Key;
pub use messages::Message;
pub use proposals::{Proposal, Vote};
pub use refusals::Refused;
pub use roll_calls::RollCall;
pub use sight::{Audience, Reader};
pub use tasks::{Claimed, Task};
pub use waiting::Waiter;

use keys::KeyName;

/// All that the contract lets a client know of a hub.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Hub time.
    pub now: Timestamp,
    /// The `seq` of the newest event.
    pub head: Seq,
    /// Who is registered.
    pub entities: BTreeMap<EntityId, Entity>,
    /// Every token that is good.
    pub tokens: BTreeMap<TokenId, Token>,
    /// Every invite that was not revoked.
    pub invites: BTreeMap<InviteId, Invite>,
    /// Secrets of tokens that are good no more.
    pub past_secrets: Vec<Shown>,
    /// Who was removed, and has not been let back.
    pub removed: BTreeSet<EntityId>,
    /// When each was last seen, registered or not.
    pub seen: BTreeMap<EntityId, Timestamp>,
    /// Who may have been seen later than is known: the hub was killed.
    pub vague: BTreeSet<EntityId>,
    /// Who has a live socket.
    pub connected: BTreeSet<EntityId>,
    /// Whose socket was open when it was removed, and is being closed.
    pub closing: BTreeSet<EntityId>,
    /// Every message.
    pub messages: BTreeMap<MessageId, Message>,
    /// Every private channel.
    pub private: BTreeMap<ChannelName, Crew>,
    /// Every task.
    pub tasks: BTreeMap<TaskId, Task>,
    /// Every proposal.
    pub proposals: BTreeMap<ProposalId, Proposal>,
    /// Every idempotency key that was kept.
    pub keys: BTreeMap<KeyName, Key>,
    /// What happened, by `seq` from 1.
    pub log: Vec<Fact>,
    /// Who waits for something to claim, in order of arrival.
    pub waiters: Vec<Waiter>,
    /// What the command under way has done.
    facts: Vec<Fact>,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// The name, where there is one.
    pub id: Option<&'a EntityId>,
    /// Whether it may act for everyone.
    pub is_admin: bool,
    /// Whether it is known by a token.
    pub has_token: bool,
}

impl<'a> Who<'a> {
    /// Somebody who acts for itself.
    fn member(id: Option<&'a EntityId>) -> Self {
        Self { id, is_admin: false, has_token: false }
    }
}

/// What a caller is told where it is not refused. Things are named and looked up in the model.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// It was done.
    Done,
    /// The entity.
    Entity(EntityId),
    /// The entity, and the token that it was given.
    Joined(EntityId, TokenId),
    /// The token.
    Token(TokenId),
    /// The invite.
    Invite(InviteId),
    /// Where the cursor stands.
    CursorAt(Seq),
    /// The messages, and the tasks made with them.
    Sent(Vec<(MessageId, Option<TaskId>)>),
    /// What was done to a message, and whether it had been done before.
    Message(MessageId, bool),
    /// What was done about a private channel, and whether it had been done before.
    Channel(ChannelName, bool),
    /// The task, and whether nothing changed.
    Task(TaskId, bool),
    /// The tasks.
    Tasks(Vec<TaskId>),
    /// The claim.
    Claimed(Claimed),
    /// There is nothing to claim.
    NoTask,
    /// When the claim lapses.
    Lease(TaskId, Option<Timestamp>),
    /// The proposal, and whether nothing changed.
    Proposal(ProposalId, bool),
}

/// What must come of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// This, at this `seq`; the last says whether it is told again under an idempotency key.
    Told(Told, Seq, bool),
    /// A refusal with one of these codes.
    Refused(Vec<&'static str>),
    /// No answer yet: it waits.
    Waits,
}

type Answer = Result<Told, Refused>;

impl Model {
    /// A hub where nothing has happened.
    pub fn new(now: Timestamp) -> Self {
        Self { now, ..Self::default() }
    }

    /// Plays one command that the hub decided next. What was due has been decided before.
    ///
    /// `place` names the caller among those who wait, where it is ready to.
    pub fn call(
        &mut self,
        request: &Request,
        place: Option<usize>,
        feed: &mut Feed<'_>,
    ) -> Result<Expected, Mismatch> {
        let caller = &request.caller;
        let who = Who {
            id: caller.id.as_ref(),
            is_admin: caller.role == Role::Admin,
            has_token: caller.auth == Auth::Token,
        };
        if let Some(code) = self.turned_away(caller, &request.command) {
            return Ok(Expected::Refused(vec![code]));
        }
        let name = match self.key_of(request) {
            Ok(name) => name,
            Err(refused) => return Ok(Expected::Refused(refused.codes())),
        };
        if let Some(name) = &name
            && let Some(first) = self.first_success(name, request)
        {
            return Ok(first);
        }
        let told = match self.decide(who, request, feed) {
            Ok(told) => told,
            Err(refused) => {
                self.settle(feed)?;
                return Ok(Expected::Refused(refused.codes()));
            }
        };
        if told == Told::NoTask
            && let Some(place) = place
        {
            self.park(place, request);
            return Ok(Expected::Waits);
        }
        if let Some(name) = &name
            && told != Told::NoTask
            && self.facts.is_empty()
        {
            self.note("key_kept", name.caller.as_str(), Audience::Only(name.caller.clone()));
        }
        let seq = self.settle(feed)?;
        if let Some(name) = name
            && told != Told::NoTask
        {
            self.keep_key(name, request, told.clone(), seq);
        }
        Ok(Expected::Told(told, seq, false))
    }

    /// Before anything is looked at: a token that is good no more, and one that changes nothing.
    fn turned_away(&self, caller: &Caller, command: &Command) -> Option<&'static str> {
        // The hub gives back for its claimer what that one never heard of.
        if matches!(command, Command::ReturnClaim(_)) {
            return None;
        }
        let is_past = caller.token.is_some_and(|secret| !self.is_good(secret));
        let is_observer = caller.role == Role::Observer;
        is_past.then_some("unauthorized").or(is_observer.then_some("observer"))
    }

    fn decide(&mut self, who: Who<'_>, request: &Request, feed: &mut Feed<'_>) -> Answer {
        match &request.command {
            Command::Register(command) => self.register(who, command),
            Command::Join(command) => self.join(command, feed),
            Command::MakeInvite(command) => self.make_invite(who, command, feed),
            Command::RevokeInvite(id) => self.revoke_invite(who, id),
            Command::IssueToken(command) => self.issue_token(who, command, feed),
            Command::RotateToken(command) => self.rotate_token(who, request.caller.token, command),
            Command::RevokeToken(id) => self.revoke_token(who, id),
            Command::UseToken(id) => self.use_token(id),
            Command::Remove(command) => self.remove(who, &command.entity_id),
            Command::Send(send) => self.send(who, std::slice::from_ref(send), feed),
            Command::SendBatch(sends) => self.send(who, sends, feed),
            Command::RedactMessage(id) => self.redact(who, id),
            Command::AckMessage(id) => self.ack(who, id),
            Command::ResolveRollCall(id) => self.resolve(who, id),
            Command::MoveCursor(command) => self.move_cursor(who, command),
            Command::CreateChannel(command) => self.create_channel(who, command),
            Command::JoinChannel(channel) => self.join_channel(who, channel),
            Command::LeaveChannel(channel) => self.leave_channel(who, channel),
            Command::InviteToChannel(command) => self.invite(who, command),
            Command::CreateTask(command) => {
                let made = self.create_tasks(who, std::slice::from_ref(command), feed)?;
                let [id] = made.as_slice() else { unreachable!("one was asked for") };
                Ok(Told::Task(id.clone(), false))
            }
            Command::CreateTasks(commands) => {
                self.create_tasks(who, commands, feed).map(Told::Tasks)
            }
            Command::UpdateTask(command) => self.update_task(who, command),
            Command::ClaimTask(command) => self.claim(who, command),
            Command::ClaimNext(command) => self.claim_next(who, command),
            Command::RenewLease(command) => self.renew(who, command),
            Command::RenewLeases => self.renew_all(who),
            Command::CompleteTask(command) => self.complete(who, command, feed),
            Command::FailTask(command) => self.fail(who, command),
            Command::ReleaseTask(command) => self.release(who, command),
            Command::ReturnClaim(command) => Ok(self.return_claim(command)),
            Command::ReassignTask(id) => self.reassign(who, id),
            Command::AnswerTask(command) => self.answer(who, command, feed),
            Command::CancelTask(id) => self.cancel(who, id),
            Command::ReopenTask(id) => self.reopen(who, id),
            Command::CreateProposal(command) => self.propose(who, command, feed),
            Command::CastVote(command) => self.vote(who, command),
            Command::CloseProposal(id) => self.close_proposal(who, id),
            Command::WithdrawProposal(id) => self.withdraw(who, id),
            Command::Tick | Command::MoveLeases(_) => unreachable!("the hub's own affair"),
            _ => unreachable!("not made by the generator"),
        }
    }

    /// Notes that something happened.
    fn note(&mut self, kind: &'static str, about: &str, audience: Audience) {
        self.facts.push(Fact { kind, about: about.to_owned(), audience });
    }

    /// The same, for everybody to see.
    fn tell(&mut self, kind: &'static str, about: &str) {
        self.note(kind, about, Audience::Everyone);
    }

    /// Holds what happened against the log, and learns the `seq` of each. The `seq` of the newest.
    pub(crate) fn settle(&mut self, feed: &mut Feed<'_>) -> Result<Seq, Mismatch> {
        let facts = std::mem::take(&mut self.facts);
        for (stamped, fact) in feed.take(facts, self.head)? {
            self.head = stamped.seq;
            self.log.push(fact);
            self.learn_seq(stamped);
        }
        Ok(self.head)
    }
}
