//! Labels for ids that the hub makes, so that a sequence can be played again, or in part.

use std::collections::BTreeMap;

use coordhub_core::{
    Outcome,
    command::{Command, CreateTask, Send},
    ids::{InviteId, MessageId, ProposalId, TaskId, TokenId},
};

/// Which label stands for which id.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels {
    ids: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
}

impl Labels {
    /// Learns what a command has made.
    pub(super) fn learn(&mut self, label: u32, outcome: &Outcome) {
        match outcome {
            Outcome::Sent(sent) => {
                for (nth, sent) in sent.iter().enumerate() {
                    self.add(format!("msg:{label}:{nth}"), sent.message.message_id.as_str());
                    if let Some(task) = &sent.task_id {
                        self.add(format!("task:{label}:{nth}"), task.as_str());
                    }
                }
            }
            Outcome::Task { task, .. } => {
                self.add(format!("task:{label}:0"), task.task_id.as_str());
            }
            Outcome::Tasks(tasks) => {
                for (nth, task) in tasks.iter().enumerate() {
                    self.add(format!("task:{label}:{nth}"), task.task_id.as_str());
                }
            }
            Outcome::Proposal { proposal, .. } => {
                self.add(format!("prop:{label}:0"), proposal.proposal_id.as_str());
            }
            Outcome::Joined { token, .. } | Outcome::Token(token) => {
                self.add(format!("token:{label}:0"), token.token_id.as_str());
            }
            Outcome::Invite(invite) => {
                self.add(format!("invite:{label}:0"), invite.invite_id.as_str());
            }
            _ => {}
        }
    }

    fn add(&mut self, label: String, id: &str) {
        // What a client named itself needs no label.
        let made = ["msg-", "task-", "prop-", "token-", "invite-"]
            .iter()
            .any(|prefix| id.starts_with(prefix));
        if made && !self.labels.contains_key(id) {
            self.labels.insert(id.to_owned(), label.clone());
            self.ids.insert(label, id.to_owned());
        }
    }

    /// The id that a text stands for.
    pub(super) fn id<'a>(&'a self, text: &'a str) -> &'a str {
        self.ids.get(text).map_or(text, String::as_str)
    }

    /// The label of an id.
    pub(super) fn label<'a>(&'a self, id: &'a str) -> &'a str {
        self.labels.get(id).map_or(id, String::as_str)
    }

    /// Puts the ids into a command.
    pub(super) fn put_ids(&self, command: &mut Command) {
        rename(command, &|text| self.id(text).to_owned());
    }

    /// Puts the labels into a command.
    pub(super) fn put_labels(&self, command: &mut Command) {
        rename(command, &|text| self.label(text).to_owned());
    }
}

type Rename<'a> = &'a dyn Fn(&str) -> String;

fn task(id: &mut TaskId, rename: Rename<'_>) {
    *id = TaskId::parse(&rename(id.as_str())).expect("an id");
}

fn message(id: &mut MessageId, rename: Rename<'_>) {
    *id = MessageId::parse(&rename(id.as_str())).expect("an id");
}

fn proposal(id: &mut ProposalId, rename: Rename<'_>) {
    *id = ProposalId::parse(&rename(id.as_str())).expect("an id");
}

fn token(id: &mut TokenId, rename: Rename<'_>) {
    *id = TokenId::parse(&rename(id.as_str())).expect("an id");
}

fn create(create: &mut CreateTask, rename: Rename<'_>) {
    create.depends_on.iter_mut().chain(&mut create.task_id).for_each(|id| task(id, rename));
}

fn send(send: &mut Send, rename: Rename<'_>) {
    if let Some(parent) = &mut send.reply_to {
        message(parent, rename);
    }
    if let Some(with) = &mut send.task {
        create(with, rename);
    }
}

fn rename(command: &mut Command, rename: Rename<'_>) {
    match command {
        Command::Send(one) => send(one, rename),
        Command::SendBatch(all) => all.iter_mut().for_each(|one| send(one, rename)),
        Command::RedactMessage(id) | Command::AckMessage(id) | Command::ResolveRollCall(id) => {
            message(id, rename);
        }
        Command::CreateTask(one) => create(one, rename),
        Command::CreateTasks(all) => all.iter_mut().for_each(|one| create(one, rename)),
        Command::UpdateTask(c) => task(&mut c.task_id, rename),
        Command::ClaimTask(c) => task(&mut c.task_id, rename),
        Command::RenewLease(c) => task(&mut c.task_id, rename),
        Command::CompleteTask(c) => task(&mut c.task_id, rename),
        Command::FailTask(c) => task(&mut c.task_id, rename),
        Command::ReleaseTask(c) => task(&mut c.task_id, rename),
        Command::ReturnClaim(c) => task(&mut c.task_id, rename),
        Command::AnswerTask(c) => task(&mut c.task_id, rename),
        Command::ReassignTask(id) | Command::CancelTask(id) | Command::ReopenTask(id) => {
            task(id, rename);
        }
        Command::CreateProposal(c) => {
            if let Some(id) = &mut c.proposal_id {
                proposal(id, rename);
            }
        }
        Command::CastVote(c) => proposal(&mut c.proposal_id, rename),
        Command::CloseProposal(id) | Command::WithdrawProposal(id) => proposal(id, rename),
        Command::RevokeInvite(id) => {
            *id = InviteId::parse(&rename(id.as_str())).expect("an id");
        }
        Command::RotateToken(c) => token(&mut c.token_id, rename),
        Command::RevokeToken(id) | Command::UseToken(id) => token(id, rename),
        _ => {}
    }
}
