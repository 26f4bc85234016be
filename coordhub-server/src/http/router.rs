//! The route table: everything the hub can be asked, in one list.

use axum::http::Method;

use super::{
    admin, audit,
    call::{Call, Change, Read, SoftChange},
    channels, entities, events, messages, proposals, reservations, session, tasks, udc,
};
use crate::{
    access::{caller::CallerIn, fair::Asked, gate::OpenTo},
    wire::{Field, Kind, Problem},
};

/// One thing the hub can be asked.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method.
    pub method: Verb,
    /// The path, with `{name}` where an id stands.
    pub path: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// What it answers with, for the documents.
    pub reply: ReplyKind,
    /// Where its caller is named.
    pub caller_in: CallerIn,
    /// To whom it is open in token mode.
    pub open_to: OpenTo,
    /// The fields it takes, beside those in its path.
    pub fields: &'static [Field],
    /// What it does.
    pub action: Action,
}

/// The methods the hub's routes have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Changes.
    Post,
    /// Removes.
    Delete,
}

impl Verb {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }

    /// Whether a request of `method` is meant. `HEAD` is a `GET` without its body.
    pub fn takes(self, method: &Method) -> bool {
        match self {
            Self::Get => method == Method::GET || method == Method::HEAD,
            Self::Post => method == Method::POST,
            Self::Delete => method == Method::DELETE,
        }
    }
}

/// What a route does.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// Makes a command, and answers when what it decided is on disk.
    Change(fn(&Call<'_>) -> Result<Change, Problem>),
    /// Changes what is soft, and answers at once where nothing must reach the disk.
    Soft(fn(&Call<'_>) -> Result<SoftChange, Problem>),
    /// Reads.
    Read(fn(&Call<'_>) -> Result<Read, Problem>),
    /// Waits for events.
    Events,
    /// Sends events as they happen.
    Stream,
    /// Signs a browser in.
    SignIn,
    /// Signs it out.
    SignOut,
    /// Becomes a socket.
    Socket,
    /// Sends a file of the page.
    Page,
    /// Shows the OpenAPI document.
    OpenApi,
    /// Shows the API documents to a person.
    Docs,
}

/// What a route answers with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReplyKind {
    /// `{"status", "seq", "entity_id", "entity"}`.
    Entity,
    /// `{"status", "seq", "task_id", "task"}`.
    Task,
    /// `{"status", "seq", "reservation_id", "expires_at", "reservation"}`.
    Reservation,
    /// `{"resources": [{"resource", "free", "conflicts"}]}`.
    Checked,
    /// `{"status", "seq", "proposal_id", "proposal", "tally", "proposal_status"}`.
    Proposal,
    /// The reply to `send`.
    Sent,
    /// `{"status", "seq", "count", "<plural>": […]}`.
    Batch(&'static str, &'static str),
    /// `{"status", "seq", "up_to"}`.
    CursorAt,
    /// `{"status", "seq", "reservation_id"}`.
    Released,
    /// `{"status", "seq", "message_id", "tasks", "returned", "reservations"}`.
    HandedOver,
    /// `{"status", "last_seen", "entity_id"}`.
    Heartbeat,
    /// `{"messages": […], "count", "next", "indexed_up_to"}`.
    Found,
    /// `{"status", "seq", "kind", "before"}`.
    Pruned,
    /// `{"status", "seq", "message_id"}`.
    Message,
    /// `{"status", "seq", "channel"}`.
    Channel,
    /// The reply to a claim: that to a change of a task, with its token.
    Claimed,
    /// `{"status", "task_id", "lease_expires_at"}`.
    Lease,
    /// `{"status", "seq", "token_id", "token", "token_info"}`; `token` is the secret, told once.
    Issued,
    /// `{"status", "seq", "invite_id", "secret", "link", "invite"}`; the secret is told once.
    Invited,
    /// `{"status", "seq", …}`.
    Done,
    /// One object, bare.
    One(&'static str),
    /// A list of such objects under a plural.
    List(&'static str, &'static str),
    /// An object that the documents describe in words.
    Object,
    /// Not JSON.
    Page,
    /// A socket.
    Socket,
    /// Server-sent events.
    Stream,
}

use Action::{Change as C, Read as R, Soft};
use CallerIn::{EntityId as ByEntityId, Field as ByField, Nowhere, Path as ByPath};
use OpenTo::{Admins, Everyone, Guests, HoldersOnly};
use Verb::{Delete, Get, Post};

#[rustfmt::skip]
const fn route(
    method: Verb, path: &'static str, summary: &'static str, reply: ReplyKind, caller_in: CallerIn,
    fields: &'static [Field], action: Action,
) -> Route {
    Route { method, path, summary, reply, caller_in, open_to: OpenTo::Holders, fields, action }
}

impl Route {
    /// The same, open to others than whoever shows a token.
    const fn open_to(self, open_to: OpenTo) -> Self {
        Self { open_to, ..self }
    }
}

/// Every route, in the order of the documents.
#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    route(Post, "/entities/register", "Take part, or change what you said of yourself", ReplyKind::Entity, ByEntityId, entities::REGISTER, C(entities::register)).open_to(Guests),
    route(Get, "/entities/list", "Who takes part, and who is there", ReplyKind::List("entities", "Entity"), ByEntityId, entities::LIST, R(entities::list)),
    route(Get, "/entities/{id}", "One entity", ReplyKind::One("Entity"), ByEntityId, messages::GET, R(entities::get)),
    route(Delete, "/entities/{id}", "Take part no longer", ReplyKind::Done, ByEntityId, messages::GET, C(entities::remove)),
    route(Post, "/entities/{entity_id}/heartbeat", "Say that you are there", ReplyKind::Heartbeat, ByPath, entities::HEARTBEAT, Soft(entities::heartbeat)),
    route(Post, "/entities/{id}/handoff", "Give all you hold to another, or back", ReplyKind::HandedOver, ByEntityId, reservations::HAND_OFF, C(reservations::hand_off)),
    route(Get, "/entities/{entity_id}/attention", "What waits for you", ReplyKind::Object, ByPath, entities::ATTENTION, R(entities::attention)),

    route(Post, "/messages/send", "Send a message, to a channel or to one entity", ReplyKind::Sent, ByField("from_entity"), messages::SEND, C(messages::send)),
    route(Post, "/messages/send-batch", "Send several messages, all or none", ReplyKind::Batch("messages", "Message"), ByField("from_entity"), messages::SEND_BATCH, C(messages::send_batch)),
    route(Get, "/messages/recent", "Recent messages, oldest first", ReplyKind::List("messages", "Message"), ByEntityId, messages::RECENT, R(messages::recent)),
    route(Get, "/messages/search", "Search messages by their words, newest first", ReplyKind::Found, ByEntityId, messages::SEARCH, R(messages::search)),
    route(Get, "/messages/for/{entity_id}", "Your inbox", ReplyKind::List("messages", "Message"), ByPath, messages::INBOX, R(messages::inbox)),
    route(Post, "/messages/for/{entity_id}/ack", "Mark messages read", ReplyKind::CursorAt, ByPath, messages::ACK, C(messages::ack)),
    route(Get, "/messages/{message_id}/receipts", "Who has seen a message", ReplyKind::One("Receipts"), ByEntityId, messages::GET, R(messages::receipts)),
    route(Post, "/messages/{message_id}/ack", "Say that you have seen a message", ReplyKind::Message, ByEntityId, messages::ACK_ONE, C(messages::ack_one)),
    route(Post, "/messages/{message_id}/resolve", "End a roll-call", ReplyKind::Message, ByEntityId, messages::GET, C(messages::resolve)),
    route(Post, "/messages/{message_id}/redact", "Remove what a message says", ReplyKind::Message, ByEntityId, messages::GET, C(messages::redact)),
    route(Get, "/messages/{message_id}", "One message", ReplyKind::One("Message"), ByEntityId, messages::GET, R(messages::get)),
    route(Get, "/channels", "The channels you may know of, and what is unread", ReplyKind::List("channels", "Channel"), ByEntityId, channels::LIST, R(channels::list)),
    route(Post, "/channels/create", "Make a private channel", ReplyKind::Channel, ByEntityId, channels::CREATE, C(channels::create)),
    route(Get, "/channels/{channel}", "One channel, and who belongs to it", ReplyKind::One("ChannelDetails"), ByEntityId, channels::GET, R(channels::get)),
    route(Post, "/channels/{channel}/join", "Become a member of a private channel that is open to your type", ReplyKind::Channel, ByEntityId, channels::JOIN, C(channels::join)),
    route(Post, "/channels/{channel}/leave", "Be a member of a private channel no more", ReplyKind::Channel, ByEntityId, channels::LEAVE, C(channels::leave)),
    route(Post, "/channels/{channel}/invite", "Make others members of a private channel", ReplyKind::Channel, ByEntityId, channels::INVITE, C(channels::invite)),

    route(Post, "/tasks/create", "Create a task", ReplyKind::Task, ByField("created_by"), tasks::CREATE, C(tasks::create)),
    route(Post, "/tasks/create-batch", "Create several tasks, all or none", ReplyKind::Batch("tasks", "Task"), ByField("created_by"), tasks::CREATE_BATCH, C(tasks::create_batch)),
    route(Post, "/tasks/claim-next", "Claim what comes next of what you can do, and wait for it", ReplyKind::Claimed, ByEntityId, tasks::CLAIM_NEXT, C(tasks::claim_next)),
    route(Get, "/tasks/list", "Tasks, in order of creation", ReplyKind::List("tasks", "Task"), ByEntityId, tasks::LIST, R(tasks::list)),
    route(Get, "/tasks/{task_id}", "One task, with its history", ReplyKind::One("TaskDetails"), ByEntityId, tasks::GET, R(tasks::get)),
    route(Post, "/tasks/{task_id}/update", "Change what a task says", ReplyKind::Task, ByEntityId, tasks::UPDATE, C(tasks::update)),
    route(Post, "/tasks/{task_id}/claim", "Claim a task: exactly one claimer wins", ReplyKind::Claimed, ByEntityId, tasks::CLAIM, C(tasks::claim)),
    route(Post, "/tasks/{task_id}/complete", "Complete a task you hold", ReplyKind::Task, ByEntityId, tasks::COMPLETE, C(tasks::complete)),
    route(Post, "/tasks/{task_id}/fail", "Give a task up as failed", ReplyKind::Task, ByEntityId, tasks::FAIL, C(tasks::fail)),
    route(Post, "/tasks/{task_id}/release", "Give a task back", ReplyKind::Task, ByEntityId, tasks::RELEASE, C(tasks::release)),
    route(Post, "/tasks/{task_id}/heartbeat", "Renew the lease of a task you hold", ReplyKind::Lease, ByEntityId, tasks::HEARTBEAT, C(tasks::heartbeat)),
    route(Post, "/tasks/{task_id}/reassign", "Take a task from its holder", ReplyKind::Task, ByEntityId, tasks::BY_CALLER, C(tasks::reassign)),
    route(Post, "/tasks/{task_id}/answer", "Answer a question, as a human", ReplyKind::Task, ByEntityId, tasks::ANSWER, C(tasks::answer)),
    route(Post, "/questions/ask", "Ask a human", ReplyKind::Task, ByField("asked_by"), tasks::ASK, C(tasks::ask)),
    route(Post, "/tasks/{task_id}/cancel", "Withdraw a task", ReplyKind::Task, ByEntityId, tasks::BY_CALLER, C(tasks::cancel)),
    route(Post, "/tasks/{task_id}/reopen", "Open a failed or cancelled task again", ReplyKind::Task, ByEntityId, tasks::BY_CALLER, C(tasks::reopen)),

    route(Post, "/reservations/acquire", "Keep others out of paths that you work on: all, or none", ReplyKind::Reservation, ByEntityId, reservations::ACQUIRE, C(reservations::acquire)),
    route(Post, "/reservations/renew", "Keep a reservation for longer", ReplyKind::Reservation, ByEntityId, reservations::RENEW, C(reservations::renew)),
    route(Post, "/reservations/release", "Give a reservation up", ReplyKind::Released, ByEntityId, reservations::RELEASE, C(reservations::release)),
    route(Get, "/reservations/list", "What is reserved, in order of acquisition", ReplyKind::List("reservations", "Reservation"), ByEntityId, reservations::LIST, R(reservations::list)),
    route(Post, "/reservations/check", "Who has reserved which of many paths; changes nothing", ReplyKind::Checked, ByEntityId, reservations::CHECK, R(reservations::check)),

    route(Post, "/proposals/create", "Put a question to the vote", ReplyKind::Proposal, ByField("proposed_by"), proposals::CREATE, C(proposals::create)),
    route(Get, "/proposals/list", "Proposals, in order of creation", ReplyKind::List("proposals", "Proposal"), ByEntityId, proposals::LIST, R(proposals::list)),
    route(Get, "/proposals/{proposal_id}", "One proposal, with its votes", ReplyKind::One("Proposal"), ByEntityId, proposals::GET, R(proposals::get)),
    route(Post, "/proposals/{proposal_id}/vote", "Vote, or change your vote", ReplyKind::Proposal, ByEntityId, proposals::VOTE, C(proposals::vote)),
    route(Post, "/proposals/{proposal_id}/close", "Decide a proposal whose outcome is certain", ReplyKind::Proposal, ByEntityId, proposals::BY_CALLER, C(proposals::close)),
    route(Post, "/proposals/{proposal_id}/withdraw", "Take a proposal back", ReplyKind::Proposal, ByEntityId, proposals::BY_CALLER, C(proposals::withdraw)),

    route(Get, "/events", "What happened since a position; waits for it where asked", ReplyKind::Object, ByEntityId, events::LIST, Action::Events),
    route(Get, "/events/stream", "Everything as it happens, as server-sent events", ReplyKind::Stream, ByEntityId, events::STREAM, Action::Stream),
    route(Get, "/ws/{entity_id}", "Everything as it happens, over a WebSocket", ReplyKind::Socket, ByPath, events::SOCKET, Action::Socket),

    route(Post, "/admin/invites", "Let others take part: makes an invite", ReplyKind::Invited, Nowhere, admin::MAKE_INVITE, C(admin::make_invite)).open_to(Admins),
    route(Get, "/admin/invites", "The invites there are, without their secrets", ReplyKind::List("invites", "Invite"), Nowhere, admin::LIST, R(admin::invites)).open_to(Admins),
    route(Delete, "/admin/invites/{invite_id}", "Let nobody more register with an invite", ReplyKind::Done, Nowhere, &[], C(admin::revoke_invite)).open_to(Admins),
    route(Post, "/admin/tokens", "Let whoever has it act as an entity: makes a token", ReplyKind::Issued, Nowhere, admin::ISSUE_TOKEN, C(admin::issue_token)).open_to(Admins),
    route(Get, "/admin/tokens", "The tokens there are, without their secrets", ReplyKind::List("tokens", "Token"), Nowhere, admin::LIST, R(admin::tokens)).open_to(Admins),
    route(Post, "/admin/tokens/{token_id}/rotate", "Change the secret of a token, your own as well", ReplyKind::Issued, Nowhere, &[], C(admin::rotate_token)).open_to(HoldersOnly),
    route(Delete, "/admin/tokens/{token_id}", "Let nobody act by a token any more", ReplyKind::Done, Nowhere, &[], C(admin::revoke_token)).open_to(Admins),

    route(Post, "/admin/prune", "Give up what is old; who did what stays known", ReplyKind::Pruned, Nowhere, admin::PRUNE, C(admin::prune)).open_to(Admins),

    route(Get, "/audit", "Who did what, without what was said", ReplyKind::List("events", "AuditEntry"), Nowhere, audit::LIST, R(audit::events)).open_to(Admins),
    route(Get, "/audit/refusals", "What was refused, counted", ReplyKind::List("refusals", "Refusal"), Nowhere, audit::REFUSALS, R(audit::refusals)).open_to(Admins),

    route(Get, "/session", "Whether callers show tokens here, and who you are", ReplyKind::Object, Nowhere, &[], R(session::look)).open_to(Everyone),
    route(Post, "/session", "Sign in to the page, by a token or an invite: sets a cookie", ReplyKind::Object, Nowhere, session::SIGN_IN, Action::SignIn).open_to(Guests),
    route(Delete, "/session", "Sign out of the page", ReplyKind::Object, Nowhere, &[], Action::SignOut).open_to(Everyone),

    route(Get, "/health", "Whether the hub works", ReplyKind::Object, ByEntityId, &[], R(udc::health)).open_to(Everyone),
    route(Get, "/capabilities", "What the hub can do", ReplyKind::Object, ByEntityId, &[], R(udc::capabilities)),
    route(Get, "/state", "How the hub is doing", ReplyKind::Object, ByEntityId, &[], R(udc::state)),
    route(Get, "/dependencies", "What the hub depends on", ReplyKind::Object, ByEntityId, &[], R(udc::dependencies)),
    route(Post, "/message", "A message between UDC services, kept on the channel technical", ReplyKind::Object, ByField("source"), udc::MESSAGE, C(udc::message)),
    route(Get, "/message", "What POST /message takes", ReplyKind::Object, ByEntityId, &[], R(udc::describe_message)),

    route(Get, "/", "The hub's page", ReplyKind::Page, ByEntityId, &[], Action::Page).open_to(Everyone),
    route(Get, "/assets/{file}", "A file of the page", ReplyKind::Page, ByEntityId, &[], Action::Page).open_to(Everyone),
    route(Get, "/assets/views/{file}", "A file of the page", ReplyKind::Page, ByEntityId, &[], Action::Page).open_to(Everyone),
    route(Get, "/docs", "These documents, for a browser", ReplyKind::Page, ByEntityId, &[], Action::Docs).open_to(Everyone),
    route(Get, "/docs/{file}", "A file of the documents", ReplyKind::Page, ByEntityId, &[], Action::Docs).open_to(Everyone),
    route(Get, "/openapi.json", "This document", ReplyKind::Object, ByEntityId, &[], Action::OpenApi).open_to(Everyone),
];

impl Route {
    /// The name of the operation: the route's words joined by dots, without its ids.
    pub fn op(&self) -> String {
        let words = self.path.split('/').filter(|word| !word.is_empty() && !word.starts_with('{'));
        let mut op = words.collect::<Vec<_>>().join(".");
        if self.method == Delete {
            op.push_str(".delete");
        }
        op
    }

    /// What a call takes out of its caller's buckets. Signs of life take nothing: whoever is slowed down
    /// is there all the same.
    pub fn asks(&self) -> Option<Asked> {
        match self.action {
            Soft(_) => None,
            _ if self.path == "/health" => None,
            C(_) | Action::SignIn => Some(Asked::Change),
            _ => Some(Asked::Read),
        }
    }

    /// Whether a call may make somebody take part.
    pub fn registers(&self) -> bool {
        self.path == "/entities/register" || matches!(self.action, Action::SignIn)
    }

    /// Whether a call may be made under an idempotency key: signs of life may be repeated at will.
    pub fn takes_keys(&self) -> bool {
        self.method == Post && matches!(self.action, C(_)) && !self.path.ends_with("/heartbeat")
    }

    /// Whether a call may wait for something to happen.
    pub fn may_wait(&self) -> bool {
        let waits = |field: &Field| matches!(field.name, "wait" | "wait_seconds");
        self.fields.iter().any(waits)
    }

    /// Whether a field may also stand in the query. What `/admin` is told has no business in an address.
    pub fn takes_query(&self) -> bool {
        self.method == Get || !self.path.starts_with("/admin/")
    }

    /// The fields that are documented to stand in the query as well: those of the calls that programs of the
    /// old hub make so.
    pub fn fields_in_query(&self) -> impl Iterator<Item = &'static Field> {
        const CALLS: [&str; 8] = [
            "/messages/send",
            "/tasks/create",
            "/proposals/create",
            "/tasks/{task_id}/claim",
            "/tasks/{task_id}/complete",
            "/proposals/{proposal_id}/vote",
            "/entities/{entity_id}/heartbeat",
            "/tasks/{task_id}/heartbeat",
        ];
        let is_one = self.method == Post && CALLS.contains(&self.path);
        let is_text = |kind| !matches!(kind, Kind::Texts | Kind::Object | Kind::Objects);
        self.fields.iter().filter(move |field| is_one && is_text(field.kind))
    }

    /// Whether the body may be a list.
    pub fn takes_items(&self) -> bool {
        self.fields.iter().any(|field| field.kind == Kind::Objects)
    }

    /// Whether `path` is of this route: same segments, an id in each place for one.
    pub fn matches(&self, path: &str) -> bool {
        let mut segments = path.split('/');
        let mut words = self.path.split('/');
        loop {
            match (words.next(), segments.next()) {
                (None, None) => return true,
                (Some(word), Some(segment)) => {
                    let fits =
                        if word.starts_with('{') { !segment.is_empty() } else { word == segment };
                    if !fits {
                        return false;
                    }
                }
                _ => return false,
            }
        }
    }
}

/// The change, or soft change, that a socket's `op` names.
pub fn by_op(op: &str) -> Option<&'static Route> {
    let changes = |action| matches!(action, C(_) | Soft(_));
    ROUTES.iter().find(|route| changes(route.action) && route.op() == op)
}

/// The route with this method and this path as it stands in the table.
pub fn by_template(method: &str, path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.path == path && route.method.as_str() == method)
}

/// The methods that `path` takes, for `Allow`; none where there is no such path.
pub fn methods_of(path: &str) -> Vec<&'static str> {
    let mut methods = Vec::new();
    for route in ROUTES.iter().filter(|route| most_specific(route, path)) {
        methods.push(route.method.as_str());
        if route.method == Get {
            methods.push("HEAD");
        }
    }
    methods
}

/// The position in [`ROUTES`] of the route that a request is of.
pub fn find(method: &Method, path: &str) -> Option<usize> {
    // Most busy paths are literal; looking for those first also makes a word of the routes no id.
    let literal = ROUTES.iter().position(|route| route.path == path && route.method.takes(method));
    literal.or_else(|| {
        ROUTES.iter().position(|route| route.method.takes(method) && most_specific(route, path))
    })
}

/// A word of the routes is no id: `/tasks/list` is never the task called `list`.
fn most_specific(route: &Route, path: &str) -> bool {
    if !route.matches(path) {
        return false;
    }
    let literal = |other: &&Route| other.path == path;
    route.path == path || !ROUTES.iter().any(|other| literal(&other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_their_routes() {
        for (method, path, expected) in [
            ("GET", "/tasks/list", Some("/tasks/list")),
            ("GET", "/tasks/t1", Some("/tasks/{task_id}")),
            ("HEAD", "/tasks/t1", Some("/tasks/{task_id}")),
            ("POST", "/tasks/t1/claim", Some("/tasks/{task_id}/claim")),
            ("GET", "/messages/for/a", Some("/messages/for/{entity_id}")),
            ("GET", "/", Some("/")),
            ("GET", "/tasks/", None),
            ("GET", "/tasks", None),
            ("POST", "/tasks/list", None),
            ("GET", "/tasks/create", None),
            ("GET", "/tasks/t1/claim/", None),
            ("GET", "//tasks/list", None),
        ] {
            let found = find(&method.parse().expect("a method"), path);
            assert_eq!(found.map(|route| ROUTES[route].path), expected, "{method} {path}");
        }
        assert_eq!(methods_of("/tasks/create"), ["POST"]);
        assert_eq!(methods_of("/entities/x"), ["GET", "HEAD", "DELETE"]);
        assert!(methods_of("/nowhere").is_empty());
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let mut names: Vec<String> = ROUTES
            .iter()
            .filter(|route| matches!(route.action, C(_) | Soft(_)))
            .map(Route::op)
            .collect();
        assert!(names.contains(&"tasks.claim".to_owned()));
        assert!(names.contains(&"messages.for.ack".to_owned()));
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
