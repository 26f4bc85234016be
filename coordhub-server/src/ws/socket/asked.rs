//! What the frames of a socket's client ask for.

use std::borrow::Cow;

use coordhub_core::{hub::policy, ids::ChannelName};
use futures_util::{FutureExt, future::BoxFuture};

use super::{End, Session};
use crate::{
    access::fair::{Asked, Asker, Held, Kept},
    wire::Problem,
    ws::{
        calls::{self, At, Do},
        session::{self, Ask},
    },
};

/// How many of its changes may wait for something to claim.
const WAITS_MAX: usize = 256;

/// What a client is told of a frame of its own.
pub(super) enum Told {
    /// This, at once.
    Frame(String),
    /// Nothing, or what is under way.
    Later,
    /// That it was refused.
    Refused(BoxFuture<'static, Problem>),
}

impl Told {
    fn refused(problem: Problem) -> Self {
        Self::Refused(std::future::ready(problem).boxed())
    }
}

impl Session {
    /// Does what a frame asks for, or has it done.
    pub(super) async fn asked(
        &mut self,
        ask: Ask<'_>,
        at: &At,
        mark: Option<&str>,
    ) -> Result<Told, End> {
        let (app, at) = (self.app.clone(), at.clone());
        Ok(match ask {
            Ask::Ping => Told::Frame("{\"type\":\"pong\"}".to_owned()),
            Ask::Ready => Told::Later,
            Ask::Subscribe(channel) => match self.may_subscribe(&channel) {
                Ok(()) => {
                    self.wait_for_subscription().await?.add_channel(channel.clone());
                    Told::Frame(session::subscribed(&channel))
                }
                Err(problem) => Told::refused(problem),
            },
            Ask::Unsubscribe(channel) => {
                self.wait_for_subscription().await?.remove_channel(&channel);
                self.subscribed.remove(&channel);
                Told::Frame(session::unsubscribed(&channel))
            }
            Ask::Message(message) => match self.change("messages.send", message, None) {
                Ok(Do::Change(change)) => {
                    self.calls.push(calls::send(app, at, *change, mark));
                    Told::Later
                }
                Ok(Do::Done(_)) => Told::Later,
                Ok(Do::Refused(problem)) => Told::Refused(problem),
                Err(problem) => Told::refused(problem),
            },
            Ask::Call { op, args, key } => match self.change(&op, args, key.as_deref()) {
                Ok(Do::Change(change)) if change.wait.is_zero() => {
                    self.calls.push(calls::call(app, at, *change, mark));
                    Told::Later
                }
                Ok(Do::Change(change)) => match self.keep_waiting() {
                    Ok(held) => {
                        let call = calls::call(app, at, *change, mark);
                        self.waits.push(call.inspect(move |_| drop(held)).boxed());
                        Told::Later
                    }
                    Err(problem) => Told::refused(problem),
                },
                Ok(Do::Done(body)) => Told::Frame(session::reply(200, &body, mark)),
                Ok(Do::Refused(problem)) => Told::Refused(problem),
                Err(problem) => Told::refused(problem),
            },
        })
    }

    /// Whether the client may subscribe to a channel, which then has its place.
    fn may_subscribe(&mut self, channel: &ChannelName) -> Result<(), Problem> {
        self.look()?;
        let reader = self.app.hub().reader(Some(self.entity.clone()));
        policy::check_subscribe(&reader, channel)?;
        self.take_channel(channel)
    }

    /// Takes a look out of the buckets of whoever is at the other end.
    fn look(&self) -> Result<(), Problem> {
        let asker = Asker { entity: Some(&self.entity), address: self.client.address };
        self.app.buckets().take(asker, Asked::Read, 1)
    }

    /// What a subscription takes of what its entity may have; one that is there takes nothing more.
    fn take_channel(&mut self, channel: &ChannelName) -> Result<(), Problem> {
        if self.subscribed.contains_key(channel) {
            return Ok(());
        }
        calls::check_channels(self.subscribed.len() + 1, "channel")?;
        let asker = Asker { entity: Some(&self.entity), address: self.client.address };
        let held = self.app.seats().take(asker, Kept::Subscription)?;
        self.subscribed.insert(channel.clone(), held);
        Ok(())
    }

    /// What a change that waits takes of what its entity may keep open.
    fn keep_waiting(&self) -> Result<Held, Problem> {
        if self.waits.len() >= WAITS_MAX {
            return Err(calls::too_many_waits(WAITS_MAX));
        }
        let asker = Asker { entity: Some(&self.entity), address: self.client.address };
        self.app.seats().take(asker, Kept::Wait)
    }

    /// Who asks, should it be refused.
    pub(super) fn at(&self, op: Cow<'static, str>, mark: Option<&str>) -> At {
        let origin = calls::origin_of(&self.origin, mark);
        At { entity: self.entity.clone(), address: self.client.address, op, origin }
    }

    fn change(&self, op: &str, args: &str, key: Option<&str>) -> Result<Do, Problem> {
        let by =
            calls::By { access: &self.access, entity: &self.entity, address: self.client.address };
        calls::change(&self.app, by, op, args, key)
    }
}
