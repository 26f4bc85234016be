//! From arguments to what the hub is asked to read.

use coordhub_core::{
    engine::{
        EntityFilter, InboxQuery, ListWindow, NoticesAmong, OnlyDirect, Order, RecentQuery, Unread,
    },
    ids::{ChannelName, MessageId},
    limits::{LIST_ROWS_DEFAULT, MESSAGE_ROWS_DEFAULT, ROWS_MAX},
    model::{EntityType, ProposalStatus, Status, TaskStatus},
    store::TaskFilter,
};

use crate::{args::Args, commands::priority, failure::Failure};

pub(crate) fn recent(args: &Args<'_>) -> Result<RecentQuery, Failure> {
    Ok(RecentQuery {
        channel: args.parsed("channel", ChannelName::parse)?,
        with: args.entity("with")?,
        thread: args.parsed("thread_id", MessageId::parse)?,
        before: args.integer("before")?,
        after: args.integer("after")?,
        limit: limit(args, MESSAGE_ROWS_DEFAULT)?,
        notices: if args.flag("notices")? { NoticesAmong::Yes } else { NoticesAmong::No },
    })
}

pub(crate) fn inbox(args: &Args<'_>) -> Result<InboxQuery, Failure> {
    Ok(InboxQuery {
        after: args.integer("after")?,
        limit: limit(args, MESSAGE_ROWS_DEFAULT)?,
        unread: if args.flag("unread")? { Unread::Only } else { Unread::AndRead },
        only_direct: if args.flag("direct")? { OnlyDirect::Yes } else { OnlyDirect::No },
    })
}

pub(crate) fn entities(args: &Args<'_>) -> Result<EntityFilter, Failure> {
    Ok(EntityFilter {
        entity_type: args.word("entity_type", EntityType::parse, EntityType::WORDS)?,
        status: args.word("status", Status::parse, Status::WORDS)?,
        capability: args.text("capability")?,
    })
}

pub(crate) fn tasks(args: &Args<'_>) -> Result<TaskFilter, Failure> {
    Ok(TaskFilter {
        status: args.word("status", TaskStatus::parse, TaskStatus::WORDS)?,
        priority: priority(args)?,
        requires_human: args.optional_flag("requires_human")?,
        tag: args.text("tag")?,
        created_by: args.entity("created_by")?,
        claimed_by: args.entity("claimed_by")?,
    })
}

pub(crate) fn proposals(args: &Args<'_>) -> Result<Option<ProposalStatus>, Failure> {
    args.word("status", ProposalStatus::parse, ProposalStatus::WORDS)
}

/// The page of a list in order of creation.
pub(crate) fn window(args: &Args<'_>) -> Result<ListWindow, Failure> {
    let order = |word: &str| match word {
        "asc" => Some(Order::Ascending),
        "desc" => Some(Order::Descending),
        _ => None,
    };
    Ok(ListWindow {
        after: args.integer("after")?,
        order: args.word("order", order, &["asc", "desc"])?.unwrap_or_default(),
        limit: limit(args, LIST_ROWS_DEFAULT)?,
    })
}

fn limit(args: &Args<'_>, default: usize) -> Result<usize, Failure> {
    let limit = args.integer_in("limit", 1..=ROWS_MAX as u64)?;
    Ok(limit.map_or(default, |limit| limit as usize))
}
