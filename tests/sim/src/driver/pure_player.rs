//! Plays the pure hub.

use std::collections::VecDeque;

use coordhub_core::{
    HubError, Reply, Timestamp,
    command::{MoveLeases, Role},
    event::Stamped,
    hub::policy::{self, Reader},
    ids::EntityId,
};

use super::{
    answers, credentials,
    generate::Powers,
    ids::Labels,
    play::Player,
    pure::Pure,
    step::{Ask, Step},
    tasks::{proposal_differs, task_differs},
};
use crate::model::{Feed, Mismatch, Model};

/// When every sequence begins.
pub(super) const BEGINNING: i64 = 1_700_000_000_000;

/// The pure hub beside the model.
pub(super) struct PurePlayer {
    hub: Pure,
    model: Model,
    labels: Labels,
    /// How much of the log the model has explained.
    explained: usize,
}

impl PurePlayer {
    /// Both where nothing has happened.
    pub(super) fn new() -> Self {
        let now = Timestamp::from_millis(BEGINNING);
        let model = Model::new(now);
        Self { hub: Pure::new(now), model, labels: Labels::default(), explained: 0 }
    }

    fn upcoming(&mut self) -> VecDeque<Stamped> {
        let upcoming = self.hub.log[self.explained..].iter().cloned().collect();
        self.explained = self.hub.log.len();
        upcoming
    }

    /// Has the model explain what the hub has just done.
    fn explain(
        &mut self,
        refused: Option<bool>,
        with: impl FnOnce(&mut Model, &mut Feed<'_>) -> Result<(), Mismatch>,
    ) -> Result<(), Mismatch> {
        let mut upcoming = self.upcoming();
        let mut feed = Feed { upcoming: &mut upcoming, refused };
        with(&mut self.model, &mut feed)?;
        match upcoming.front() {
            Some(left) => Err(Mismatch(format!("nothing explains {:?}", left.event))),
            None => Ok(()),
        }
    }

    fn ask(&mut self, ask: &Ask) -> Result<(), Mismatch> {
        let mut request = ask.request();
        self.labels.put_ids(&mut request.command);
        if let Some(id) = &request.caller.id {
            self.model.touch(id);
        }
        let answer: Result<Reply, HubError> = self.hub.call(&request);
        if let Ok(reply) = &answer {
            self.labels.learn(ask.label, &reply.outcome);
        }
        self.hub.check()?;
        self.explain(Some(answer.is_err()), |model, feed| {
            let expected = model.call(&request, None, feed)?;
            answers::compare(model, &expected, &answer)
        })?;
        // Whoever was removed has lost its sockets.
        self.model.closing.clear();
        self.hub.soft.connected.clone_from(&self.model.connected);
        Ok(())
    }

    fn pass(&mut self, millis: i64) -> Result<(), Mismatch> {
        let now = self.hub.now.plus_millis(millis);
        self.hub.now = now;
        self.hub.tick()?;
        self.explain(None, |model, feed| model.advance(now, feed))
    }

    fn jump(&mut self, by_millis: i64) -> Result<(), Mismatch> {
        if by_millis <= 1_000 {
            return Ok(());
        }
        let now = self.hub.now.plus_millis(by_millis);
        self.hub.now = now;
        self.model.now = now;
        self.hub.move_leases(MoveLeases::ClockJumped { by_millis })?;
        self.explain(None, |model, feed| model.clock_jumped(by_millis, feed))?;
        self.pass(0)
    }

    fn restart(&mut self) -> Result<(), Mismatch> {
        self.hub.commit();
        self.hub.move_leases(MoveLeases::Started)?;
        self.explain(None, |model, feed| model.started(model.now, feed))
    }

    fn look(&self) -> Result<(), Mismatch> {
        for (id, due) in &self.model.tasks {
            let task = self.hub.task(id).ok_or_else(|| Mismatch(format!("task {id} is gone")))?;
            differs(task_differs(&self.model, due, task))?;
        }
        for (id, due) in &self.model.proposals {
            let proposal = self.hub.proposal(id);
            let proposal = proposal.ok_or_else(|| Mismatch(format!("proposal {id} is gone")))?;
            differs(proposal_differs(due, proposal))?;
        }
        let mut readers: Vec<(Option<EntityId>, Role)> =
            self.model.entities.keys().map(|id| (Some(id.clone()), Role::Member)).collect();
        let others = [None, Some(EntityId::parse("ghost").expect("an id"))];
        readers.extend(others.into_iter().map(|id| (id, Role::Member)));
        // What tokens read by: an observer no more and no less than a member, an admin also what is
        // for admins, and no private channel.
        readers.push((Some(EntityId::admin()), Role::Admin));
        readers.extend(self.model.tokens.values().map(|t| (Some(t.entity_id.clone()), t.role)));
        for (id, role) in readers {
            let due = self.model.visible_seqs(&self.model.reader(id.as_ref()).in_role(role));
            let reader = Reader::new(&self.hub.state, id).in_role(role);
            let log = self.hub.log.iter();
            let seen: Vec<_> = log
                .filter(|stamped| policy::audience(&stamped.event).includes(&reader))
                .map(|stamped| stamped.seq)
                .collect();
            if seen != due {
                let wrong = seen.iter().find(|seq| !due.contains(seq));
                let wrong = wrong.or_else(|| due.iter().find(|seq| !seen.contains(seq)));
                let what = format!("{reader:?} sees event {wrong:?} or not: the model differs");
                return Err(Mismatch(what));
            }
        }
        credentials::look(self.hub.state.credentials(), &self.model)?;
        self.look_at_cursors()
    }

    fn look_at_cursors(&self) -> Result<(), Mismatch> {
        for (id, entity) in &self.model.entities {
            let cursors = self.hub.state.cursors(id);
            let Some(cursors) = cursors else {
                return Err(Mismatch(format!("{id} has no cursors")));
            };
            let channels = self.hub.state.channels().keys();
            let wrong = channels.clone().find(|c| cursors.channel(c) != entity.read_on(c));
            if wrong.is_some() || cursors.direct() != entity.direct_read() {
                return Err(Mismatch(format!("cursors of {id}: {cursors:?} and not {entity:?}")));
            }
        }
        Ok(())
    }
}

fn differs(what: Option<String>) -> Result<(), Mismatch> {
    what.map_or(Ok(()), |what| Err(Mismatch(what)))
}

impl Player for PurePlayer {
    fn play(&mut self, step: &Step) -> Result<(), Mismatch> {
        match step {
            Step::Call(ask) => self.ask(ask),
            Step::Burst(asks) => asks.iter().try_for_each(|ask| self.ask(ask)),
            Step::Pass(millis) => self.pass(*millis),
            Step::Jump(millis) => self.jump(*millis),
            Step::Socket(id, open) => {
                if *open {
                    self.hub.soft.connected.insert(id.clone());
                    self.model.connected.insert(id.clone());
                    self.model.touch(id);
                    self.hub.touch(id);
                } else {
                    self.hub.soft.connected.remove(id);
                    self.model.connected.remove(id);
                }
                Ok(())
            }
            Step::Commit => {
                self.hub.commit();
                self.hub.check()
            }
            Step::Restart => self.restart(),
            Step::Kill | Step::Fault(_) | Step::Leave | Step::Lost(_) => Ok(()),
            Step::Look => self.look(),
        }
    }

    fn model(&self) -> &Model {
        &self.model
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn powers(&self) -> Powers {
        Powers { is_engine: false, has_file: true }
    }
}
