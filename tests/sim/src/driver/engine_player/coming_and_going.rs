//! Who comes and goes: sockets, waiters who leave, and the hub itself.

use std::fs;

use coordhub_core::{
    Outcome, Reply, Request,
    command::{Caller, Command, ReturnClaim},
    ids::EntityId,
};

use super::{EnginePlayer, explained, poll};
use crate::{
    driver::{hands::HubTime, step::Ask},
    model::{Expected, Feed, Mismatch, Told},
};

impl EnginePlayer {
    /// Drops the sockets of those who were removed.
    pub(super) fn close_sockets(&mut self) {
        self.model.closing.clear();
        let connected = &self.model.connected;
        self.sockets.retain(|id, _| connected.contains(id));
    }

    pub(super) fn socket(&mut self, id: &EntityId, open: bool) -> Result<(), Mismatch> {
        if open {
            let connection = self.hub().connect(id);
            self.sockets.entry(id.clone()).or_default().push(connection);
            self.model.connected.insert(id.clone());
            self.model.touch(id);
        } else {
            self.sockets.remove(id);
            self.model.connected.remove(id);
        }
        Ok(())
    }

    /// Stops the hub, or kills it; and starts another on what it left.
    pub(super) fn restart(&mut self, kill: bool) -> Result<(), Mismatch> {
        let Some(path) = self.path() else { return Ok(()) };
        self.sockets.clear();
        self.model.connected.clear();
        self.model.waiters.clear();
        let hub = self.hub.take().expect("the hub is open");
        if kill {
            self.file += 1;
            let copy = self.path().expect("there is a folder");
            self.levers.while_idle(|| {
                for tail in ["", "-wal"] {
                    let [from, to] = [&path, &copy].map(|path| format!("{}{tail}", path.display()));
                    fs::copy(from, to).expect("the file is copied");
                }
            });
            self.model.vague = self.model.entities.keys().cloned().collect();
            self.waiting.clear();
        }
        hub.close();
        for (_, (mut ticket, _)) in std::mem::take(&mut self.waiting) {
            match poll(&mut ticket) {
                Some(Ok(Reply { outcome: Outcome::NoTask, .. })) => {}
                answer => return Err(Mismatch(format!("at the stop a wait ended as {answer:?}"))),
            }
        }
        drop(hub);
        self.open();
        self.time = HubTime::start(self.recorded, &self.hands);
        self.poke();
        let now = self.time.now();
        let mut upcoming = self.upcoming();
        let mut feed = Feed { upcoming: &mut upcoming, refused: None };
        self.model.started(now, &mut feed)?;
        self.model.advance(now, &mut feed)?;
        explained(&upcoming)
    }

    /// Who waited longest leaves.
    pub(super) fn leave(&mut self) {
        if let Some((place, (ticket, _))) = self.waiting.pop_first() {
            drop(ticket);
            self.model.waiters.retain(|waiter| waiter.place != place);
        }
    }

    /// A claim whose answer nobody takes goes back.
    pub(super) fn lose(&mut self, ask: &Ask) -> Result<(), Mismatch> {
        let mut request = ask.request();
        request.wait = std::time::Duration::ZERO;
        request.key = None;
        request.caller.id.iter().for_each(|id| self.model.touch(id));
        drop(self.hub().submit_request(request.clone()));
        self.poke();
        let mut upcoming = self.upcoming();
        let mut feed = Feed { upcoming: &mut upcoming, refused: None };
        let expected = self.model.call(&request, None, &mut feed)?;
        if let Expected::Told(Told::Claimed(claim), ..) = expected {
            let back = ReturnClaim { task_id: claim.task_id.clone(), claim_token: claim.token };
            let request = Request::new(Caller::default(), Command::ReturnClaim(back));
            self.model.call(&request, None, &mut feed)?;
            let served = self.model.serve(&mut feed)?;
            self.give(served, true)?;
        }
        explained(&upcoming)
    }
}
