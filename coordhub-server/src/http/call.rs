//! One call, however it came: over HTTP or through a socket.

use std::{pin::Pin, time::Duration};

use coordhub_core::{
    command::{Caller, Command, Key},
    engine::{ListWindow, Order},
    hub::policy::Reader,
    ids::{EntityId, Seq},
    limits::{LIST_ROWS_DEFAULT, MESSAGE_ROWS_DEFAULT, ROWS_MAX},
};

use crate::{
    access::{
        caller::{self, CallerIn, Named},
        gate::{Access, Sender},
    },
    app::App,
    wire::{Field, Fields, Kind, Need, Problem, reply::Form},
};

/// What a call brings: its fields, and the places where its caller may be named.
#[derive(Debug)]
pub struct Call<'a> {
    /// The server it came to.
    pub app: &'a App,
    /// Its fields.
    pub fields: Fields<'a>,
    /// The header and the socket that may name the caller.
    pub named: Named<'a>,
    /// Where else this route's caller is named.
    pub caller_in: CallerIn,
    /// What is known of whoever calls.
    pub access: &'a Access,
    /// From where it was sent.
    pub sender: Sender,
    /// The host that the request names, where there is one.
    pub host: Option<&'a str>,
}

/// A change to make, and how its reply is shown.
#[derive(Debug)]
pub struct Change {
    /// Who asks.
    pub caller: Caller,
    /// For what.
    pub command: Command,
    /// How the reply is shown.
    pub form: Form,
    /// Under which idempotency key.
    pub key: Option<Key>,
    /// How long to wait for something to claim.
    pub wait: Duration,
}

/// What a change of soft facts came to.
#[derive(Debug)]
pub enum SoftChange {
    /// It is done, and this is the answer.
    Done(Vec<u8>),
    /// It takes a change that must reach the disk.
    Change(Box<Change>),
}

/// An answer that is there, or one that the disk must be asked for.
pub enum Read {
    /// The body.
    Ready(Vec<u8>),
    /// Makes the body; may block.
    Later(Blocking),
    /// Makes the body when there is something to answer.
    When(Pin<Box<dyn Future<Output = Result<Vec<u8>, Problem>> + Send>>),
}

/// Makes a body; may block.
pub type Blocking = Box<dyn FnOnce(&App) -> Result<Vec<u8>, Problem> + Send>;

impl Read {
    /// An answer that may block.
    pub fn later(
        read: impl FnOnce(&App) -> Result<Vec<u8>, Problem> + Send + 'static,
    ) -> Result<Self, Problem> {
        Ok(Self::Later(Box::new(read)))
    }
}

impl Call<'_> {
    /// Who calls.
    pub fn caller(&self) -> Result<Caller, Problem> {
        caller::caller(self.caller_in, &self.fields, self.named, self.access)
    }

    /// Who calls, where the call needs somebody.
    pub fn needed_caller(&self) -> Result<EntityId, Problem> {
        caller::needed(self.caller()?)
    }

    /// Who reads. Acting as an entity, even reading, is being there; a screen that watches in its name is
    /// not.
    pub fn reader(&self) -> Result<Reader, Problem> {
        let caller = self.caller()?;
        if let Some(id) = caller.id.as_ref().filter(|_| !self.access.only_watches()) {
            self.app.hub().touch(id);
        }
        Ok(self.app.hub().reader(caller.id).in_role(caller.role))
    }

    /// Where people reach the hub, as far as it can tell.
    pub fn base_url(&self) -> Option<String> {
        let config = self.app.config();
        config
            .public_url
            .clone()
            .or_else(|| Some(format!("{}://{}", self.sender.client.scheme(), self.host?)))
    }

    /// A change in the caller's name, whose reply says `status`.
    pub fn change(&self, command: Command, status: &'static str) -> Result<Change, Problem> {
        let form = Form::Status(status, Vec::new());
        Ok(Change { caller: self.caller()?, command, form, key: None, wait: Duration::ZERO })
    }

    /// How many messages are asked for.
    pub fn message_limit(&self) -> Result<usize, Problem> {
        self.limit(MESSAGE_ROWS_DEFAULT)
    }

    /// The page of a list in order of creation that is asked for.
    pub fn list_window(&self) -> Result<ListWindow, Problem> {
        let order = |word: &str| match word {
            "asc" => Some(Order::Ascending),
            "desc" => Some(Order::Descending),
            _ => None,
        };
        Ok(ListWindow {
            after: self.fields.integer("after")?,
            order: self.fields.word("order", order, &ORDERS)?.unwrap_or_default(),
            limit: self.limit(LIST_ROWS_DEFAULT)?,
        })
    }

    /// A position in the log, where one is given.
    pub fn seq(&self, name: &'static str) -> Result<Option<Seq>, Problem> {
        self.fields.integer(name)
    }

    fn limit(&self, default: usize) -> Result<usize, Problem> {
        let limit = self.fields.integer_in("limit", 1..=ROWS_MAX as u64)?;
        Ok(limit.map_or(default, |limit| limit as usize))
    }
}

const ORDERS: [&str; 2] = ["asc", "desc"];

/// A field that a route must be given.
pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Field {
    Field { name, kind, need: Need::Required, doc }
}

/// A field that a route may be given.
pub const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Field {
    Field { name, kind, need: Need::Optional, doc }
}

/// The fields of every list in order of creation.
pub const AFTER: Field = optional(
    "after",
    Kind::Integer,
    "Only what was created after this `seq`, in the order asked for.",
);
/// See [`AFTER`].
pub const ORDER: Field = optional(
    "order",
    Kind::Word(&ORDERS),
    "`asc` for the oldest first (the default), `desc` for the newest first.",
);
/// See [`AFTER`].
pub const LIMIT: Field = optional("limit", Kind::Integer, "At most so many, 1 to 1000.");
/// The general place where a caller is named.
pub const ENTITY_ID: Field =
    optional("entity_id", Kind::Text, "Who calls; the header `X-Entity-Id` says the same.");
/// The free part of most things.
pub const METADATA: Field = optional("metadata", Kind::Object, "Whatever you want kept with it.");
