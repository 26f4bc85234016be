//! A claim whose claimer may never hear of it.

use std::sync::Arc;

use coordhub_core::{
    Hub, Made, Outcome, Reply, Request,
    command::{Caller, Command, Origin, ReturnClaim},
    ids::TaskId,
};

use crate::net::Undelivered;

/// Gives a claim of `claim-next` back when it is dropped, unless its answer was written first.
#[derive(Debug)]
pub struct TakeBack {
    hub: Hub,
    caller: Caller,
    origin: Option<Arc<Origin>>,
    task_id: TaskId,
    claim_token: u64,
    is_delivered: bool,
}

impl TakeBack {
    /// Watches over the claim that a reply tells of, where it tells of a new one.
    pub fn of(
        hub: &Hub,
        caller: Caller,
        origin: Option<Arc<Origin>>,
        reply: &Reply,
    ) -> Option<Self> {
        let Reply { outcome: Outcome::Claimed(claim), made: Made::Now, .. } = reply else {
            return None;
        };
        (!claim.already).then(|| Self {
            hub: hub.clone(),
            caller,
            origin,
            task_id: claim.task.task_id.clone(),
            claim_token: claim.claim_token,
            is_delivered: false,
        })
    }
}

impl Undelivered for TakeBack {
    fn delivered(&mut self) {
        self.is_delivered = true;
    }
}

impl Drop for TakeBack {
    fn drop(&mut self) {
        if self.is_delivered {
            return;
        }
        let task_id = self.task_id.clone();
        let command = Command::ReturnClaim(ReturnClaim { task_id, claim_token: self.claim_token });
        // Where the queue takes nothing more the lease lapses instead. Nobody waits for the answer.
        let request = Request::new(self.caller.clone(), command);
        let origin = self.origin.take();
        let _ticket = self.hub.submit_request(Request { origin, ..request });
    }
}
