//! Those who wait for something to claim: first come, first served.

use coordhub_core::{
    Request,
    command::Command,
    ids::{Seq, TaskId},
};

use super::{Expected, Feed, Mismatch, Model, Told, Who};

/// Somebody who waits.
#[derive(Clone, Debug)]
pub struct Waiter {
    /// Which call of the driver it is.
    pub place: usize,
    /// What it asks for.
    pub request: Request,
    /// What it was given, once it was.
    pub told: Option<Told>,
    /// Under which `seq`.
    pub seq: Seq,
}

impl Model {
    pub(super) fn park(&mut self, place: usize, request: &Request) {
        let waiter = Waiter { place, request: request.clone(), told: None, seq: 0 };
        self.waiters.push(waiter);
    }

    /// Gives each who waits what there is for it, whoever came first before the others.
    pub(super) fn serve_waiters(&mut self) {
        for at in 0..self.waiters.len() {
            let Waiter { told, request, .. } = &self.waiters[at];
            let Command::ClaimNext(next) = &request.command else { continue };
            if told.is_some() || self.first_under_key(at).is_some() {
                continue;
            }
            let (request, next) = (request.clone(), next.clone());
            let who = Who::member(request.caller.id.as_ref());
            match self.claim_next(who, &next) {
                Ok(Told::NoTask) | Err(_) => {}
                Ok(told) => self.waiters[at].told = Some(told),
            }
        }
    }

    /// Who waits under the same key and came before: who calls again is told what that one is told.
    fn first_under_key(&self, at: usize) -> Option<usize> {
        let name = self.key_of(&self.waiters[at].request).ok().flatten()?;
        let same =
            |other: &Waiter| self.key_of(&other.request).ok().flatten().as_ref() == Some(&name);
        self.waiters[..at].iter().position(same)
    }

    /// Gives those who wait what the last command has opened, and takes out who was served.
    pub fn serve(&mut self, feed: &mut Feed<'_>) -> Result<Vec<(usize, Expected)>, Mismatch> {
        self.serve_waiters();
        self.settle(feed)?;
        Ok(self.take_served())
    }

    /// Takes out who was served.
    pub fn take_served(&mut self) -> Vec<(usize, Expected)> {
        let (served, waiting): (Vec<Waiter>, Vec<Waiter>) =
            std::mem::take(&mut self.waiters).into_iter().partition(|w| w.told.is_some());
        let mut answers = Vec::new();
        for Waiter { place, request, told, seq } in served {
            let Some(told) = told else { continue };
            if let Ok(Some(name)) = self.key_of(&request) {
                self.keep_key(name, &request, told.clone(), seq);
            }
            answers.push((place, Expected::Told(told, seq, false)));
        }
        for waiter in waiting {
            let name = self.key_of(&waiter.request).ok().flatten();
            match name.and_then(|name| self.first_success(&name, &waiter.request)) {
                Some(again) => answers.push((waiter.place, again)),
                None => self.waiters.push(waiter),
            }
        }
        answers
    }

    /// Learns at which `seq` a task was claimed for one who waited.
    pub(super) fn learn_claim(&mut self, task_id: &TaskId, token: u64, seq: Seq) {
        for waiter in &mut self.waiters {
            if let Some(Told::Claimed(claim)) = &waiter.told
                && claim.task_id == *task_id
                && claim.token == token
            {
                waiter.seq = seq;
            }
        }
    }
}
