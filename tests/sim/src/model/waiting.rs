//! Those who wait for something to claim: first come, first served.

use coordhub_core::{Request, command::Command, ids::Seq};

use super::{Expected, Model, Told, Who};

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
            if self.waiters[at].told.is_some() {
                continue;
            }
            let request = self.waiters[at].request.clone();
            let Command::ClaimNext(next) = &request.command else { continue };
            let who = Who { id: request.caller.id.as_ref(), is_admin: false };
            match self.claim_next(who, next) {
                Ok(Told::NoTask) | Err(_) => {}
                Ok(told) => self.waiters[at].told = Some(told),
            }
        }
    }

    /// Gives those who wait what the last command has opened, and takes out who was served.
    pub fn serve(
        &mut self,
        feed: &mut super::Feed<'_>,
    ) -> Result<Vec<(usize, Expected)>, super::Mismatch> {
        self.serve_waiters();
        let seq = self.settle(feed)?;
        let (served, waiting) =
            std::mem::take(&mut self.waiters).into_iter().partition(|w| w.told.is_some());
        self.waiters = waiting;
        let served: Vec<Waiter> = served;
        Ok(served
            .into_iter()
            .filter_map(|waiter| {
                let told = waiter.told?;
                Some((waiter.place, Expected::Told(told, seq, false)))
            })
            .collect())
    }
}
