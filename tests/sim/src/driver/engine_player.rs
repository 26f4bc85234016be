//! Plays the whole engine: its writer, its store, its clock.

mod coming_and_going;

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use coordhub_core::{
    Hub, HubError, Reply, Request, Ticket, Timestamp,
    command::{Caller, Command},
    engine::Connection,
    event::{Event, MoveReason, Stamped},
    hub::invariants,
    ids::{EntityId, TaskId},
};
use tempfile::TempDir;

use super::{
    answers,
    faulty::{Faulty, Levers},
    generate::Powers,
    hands::{Hands, HubTime},
    ids::Labels,
    look,
    play::Player,
    pure_player::BEGINNING,
    step::{Ask, Fault, Step},
};
use crate::model::{Expected, Feed, Mismatch, Model, Told};

/// The engine beside the model.
pub(super) struct EnginePlayer {
    hub: Option<Hub>,
    model: Model,
    labels: Labels,
    levers: Levers,
    hands: Hands,
    time: HubTime,
    /// Where the file lies; in memory where there is none.
    folder: Option<TempDir>,
    file: u32,
    fault: Option<Fault>,
    /// Whether a store that took no writes has held up the leases.
    held_up: bool,
    sockets: BTreeMap<EntityId, Vec<Connection>>,
    /// Those who wait, by their place, and until when by the monotonic clock.
    waiting: BTreeMap<usize, (Ticket, i64)>,
    places: usize,
    /// Answers to those who wait that came before the model has seen why.
    early: BTreeMap<usize, Result<Reply, HubError>>,
    /// Whether what a failed sync leaves open is on disk.
    is_kept: bool,
    /// When the newest event happened.
    recorded: Timestamp,
}

impl EnginePlayer {
    /// Both where nothing has happened.
    pub(super) fn new(on_disk: bool) -> Self {
        let hands = Hands::new(BEGINNING);
        let time = HubTime::start(Timestamp::default(), &hands);
        let model = Model::new(time.now());
        // What is synced into memory is synced soon.
        let fast = PathBuf::from("/dev/shm");
        let folder = on_disk.then(|| {
            let made = if fast.is_dir() { tempfile::tempdir_in(fast) } else { tempfile::tempdir() };
            made.expect("a folder")
        });
        let mut player = Self {
            hub: None,
            model,
            labels: Labels::default(),
            levers: Levers::default(),
            hands,
            time,
            folder,
            file: 0,
            fault: None,
            held_up: false,
            sockets: BTreeMap::new(),
            waiting: BTreeMap::new(),
            places: 0,
            early: BTreeMap::new(),
            is_kept: false,
            recorded: Timestamp::default(),
        };
        player.open();
        player
    }

    fn path(&self) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?;
        Some(folder.path().join(format!("{}.db", self.file)))
    }

    fn open(&mut self) {
        let store = Faulty::open(self.path().as_deref(), &self.levers).expect("the store opens");
        let hub = Hub::builder().clock(self.hands.clone()).with_store(store);
        self.hub = Some(hub.expect("the hub opens"));
    }

    fn hub(&self) -> &Hub {
        self.hub.as_ref().expect("the hub is open")
    }

    fn upcoming(&mut self) -> VecDeque<Stamped> {
        let upcoming: VecDeque<Stamped> = self.levers.log_after(self.model.head).into();
        self.recorded = upcoming.back().map_or(self.recorded, |stamped| stamped.at);
        upcoming
    }

    /// Has the writer go round: what is due by now is decided afterwards, and whose time is up is
    /// told so.
    fn poke(&self) {
        for _ in 0..2 {
            let nothing = TaskId::parse("no-such-task").expect("an id");
            // It is refused, or fails with the batch that it is in.
            let _refused = self.hub().call(Caller::default(), Command::CancelTask(nothing));
        }
    }

    /// Time has moved.
    fn moved(&mut self) -> Result<(), Mismatch> {
        self.poke();
        let jump = self.time.look(&self.hands);
        let now = self.time.now();
        if self.hub().now() != now {
            let is = self.hub().now();
            return Err(Mismatch(format!("hub time is {is} and not {now}")));
        }
        let mut upcoming = self.upcoming();
        self.recovered(&mut upcoming)?;
        let mut feed = Feed { upcoming: &mut upcoming, refused: None };
        self.model.now = now;
        if jump > 0 {
            self.model.clock_jumped(jump, &mut feed)?;
        }
        self.model.advance(now, &mut feed)?;
        let served = self.model.take_served();
        explained(&upcoming)?;
        self.give(served, false)?;
        self.end_waits()
    }

    /// After a store that took no writes leases have the time that they have after a start.
    fn recovered(&mut self, upcoming: &mut VecDeque<Stamped>) -> Result<(), Mismatch> {
        let Some(first) = upcoming.front().filter(|_| self.held_up) else { return Ok(()) };
        let (at, event) = (first.at, &first.event);
        let is_start = matches!(event, Event::LeasesMoved(e) if e.reason == MoveReason::Started);
        if is_start {
            self.held_up = false;
            self.model.started(at, &mut Feed { upcoming, refused: None })?;
        }
        Ok(())
    }

    /// Holds the answers of those who waited against what they were due.
    fn give(&mut self, served: Vec<(usize, Expected)>, whole: bool) -> Result<(), Mismatch> {
        for (place, expected) in served {
            let Some((mut ticket, _)) = self.waiting.remove(&place) else {
                return Err(Mismatch(format!("nobody waits at {place}")));
            };
            let Some(answer) = poll(&mut ticket) else {
                return Err(Mismatch(format!("it waits on, and {expected:?} was due")));
            };
            if matches!(answer, Err(HubError::OutcomeUnknown(_))) && self.is_kept {
                continue;
            }
            if whole {
                answers::compare(&self.model, &expected, &answer)?;
            } else {
                answers::compare_claim(&expected, &answer)?;
            }
        }
        Ok(())
    }

    fn end_waits(&mut self) -> Result<(), Mismatch> {
        let (_, monotonic) = self.hands.read();
        let ended = self.waiting.iter().filter(|(_, (_, end))| *end <= monotonic);
        let ended: Vec<usize> = ended.map(|(place, _)| *place).collect();
        for place in ended {
            self.model.waiters.retain(|waiter| waiter.place != place);
            let expected = Expected::Told(Told::NoTask, self.model.head, false);
            self.give(vec![(place, expected)], true)?;
        }
        // Nobody else has an answer.
        let mut failed = Vec::new();
        for (place, (ticket, _)) in &mut self.waiting {
            match poll(ticket) {
                None => {}
                // The batch that served it came to nothing.
                Some(Err(
                    HubError::Unavailable(_) | HubError::Internal | HubError::OutcomeUnknown(_),
                )) => failed.push(*place),
                Some(answer) => {
                    let what = format!("it should wait, and was answered {answer:?}");
                    return Err(Mismatch(what));
                }
            }
        }
        for place in failed {
            self.waiting.remove(&place);
            self.model.waiters.retain(|waiter| waiter.place != place);
        }
        Ok(())
    }

    /// Several commands, all under way before the first is waited for.
    fn burst(&mut self, asks: &[Ask]) -> Result<(), Mismatch> {
        let requests: Vec<Request> = asks
            .iter()
            .map(|ask| {
                let mut request = ask.request();
                self.labels.put_ids(&mut request.command);
                request
            })
            .collect();
        self.seen_soon(&requests);
        // Commands that are done over one by one keep no order with those that begin to wait.
        let fault = self.fault.take().filter(|fault| *fault != Fault::Refused || asks.len() == 1);
        self.is_kept = fault == Some(Fault::SyncKept);
        self.levers.arm(fault);
        let submit = |request: &Request| {
            self.hub().submit_request(request.clone()).expect("the queue has room")
        };
        let tickets: Vec<Ticket> = requests.iter().map(submit).collect();
        let (_, monotonic) = self.hands.read();
        // All that wait for nothing are answered; of the others a look tells.
        let mut answers = Vec::new();
        let mut waiting = Vec::new();
        for (ticket, request) in tickets.into_iter().zip(&requests) {
            if request.wait.is_zero() {
                answers.push(Some(ticket.wait()));
                waiting.push(None);
            } else {
                answers.push(None);
                waiting.push(Some(ticket));
            }
        }
        self.poke();
        let has_failed = fault.is_some() && self.levers.arm(None).is_none();
        self.poke();
        for (answer, ticket) in answers.iter_mut().zip(&mut waiting) {
            if let Some(waits) = ticket
                && let Some(given) = poll(waits)
            {
                *answer = Some(given);
                *ticket = None;
            }
        }
        let mut upcoming = self.upcoming();
        for (((ask, request), answer), ticket) in
            asks.iter().zip(&requests).zip(answers).zip(waiting)
        {
            let end = monotonic + i64::try_from(request.wait.as_millis()).unwrap_or(0);
            self.one(ask, request, answer, ticket.map(|ticket| (ticket, end)), &mut upcoming)?;
        }
        // Nobody of these need have been in the batch that failed.
        self.held_up |= has_failed;
        self.recovered(&mut upcoming)?;
        // By now the writer has gone round with a store that works; it may have had no lease to move.
        self.held_up = false;
        // What a batch took that came to nothing is there for who waits.
        let mut feed = Feed { upcoming: &mut upcoming, refused: None };
        let served = self.model.serve(&mut feed)?;
        self.give_or_early(served)?;
        explained(&upcoming)?;
        if let Some((_, answer)) = self.early.pop_first() {
            return Err(Mismatch(format!("it should wait, and was answered {answer:?}")));
        }
        requests.iter().filter_map(|request| request.caller.id.as_ref()).for_each(|id| {
            self.model.touch(id);
        });
        self.close_sockets();
        self.end_waits()?;
        self.hub()
            .with_state(invariants::check)
            .map_err(|what| Mismatch(format!("invariant: {what}")))
    }

    /// Whether somebody was seen who calls in this very burst hangs on how fast the writer is.
    fn seen_soon(&mut self, requests: &[Request]) {
        if let [request] = requests {
            request.caller.id.iter().for_each(|id| self.model.touch(id));
            return;
        }
        for id in requests.iter().filter_map(|request| request.caller.id.as_ref()) {
            self.model.seen_perhaps(id);
        }
    }

    /// One command of a burst, with its answer or the ticket that waits for it.
    fn one(
        &mut self,
        ask: &Ask,
        request: &Request,
        answer: Option<Result<Reply, HubError>>,
        ticket: Option<(Ticket, i64)>,
        upcoming: &mut VecDeque<Stamped>,
    ) -> Result<(), Mismatch> {
        // What was answered before the first that failed was answered before the store recovered.
        self.recovered(upcoming)?;
        match &answer {
            // Nothing of it came to be.
            Some(Err(HubError::Unavailable(_) | HubError::Internal)) => {
                self.held_up = true;
                return Ok(());
            }
            Some(Err(HubError::OutcomeUnknown(_))) => {
                self.held_up = true;
                if !self.is_kept {
                    return Ok(());
                }
            }
            _ => {}
        }
        self.places += 1;
        let place = self.places;
        let may_wait = !request.wait.is_zero();
        let refused = match &answer {
            Some(Ok(_)) => Some(false),
            Some(Err(HubError::Rejected(_))) => Some(true),
            _ => None,
        };
        if let Some(Ok(reply)) = &answer {
            self.labels.learn(ask.label, &reply.outcome);
        }
        let mut feed = Feed { upcoming, refused };
        let expected = self.model.call(request, may_wait.then_some(place), &mut feed)?;
        match (&expected, answer, ticket) {
            (Expected::Waits, None, Some(ticket)) => {
                self.waiting.insert(place, ticket);
            }
            // It was served by what came later.
            (Expected::Waits, Some(answer), _) => {
                self.early.insert(place, answer);
            }
            (_, Some(Err(HubError::OutcomeUnknown(_))), _) => {}
            (_, Some(answer), _) => answers::compare(&self.model, &expected, &answer)?,
            (_, None, _) => {
                return Err(Mismatch(format!("it waits, and {expected:?} was due")));
            }
        }
        let mut feed = Feed { upcoming, refused: None };
        let served = self.model.serve(&mut feed)?;
        self.give_or_early(served)
    }

    /// The same, where the answer may have come before the model has seen why.
    fn give_or_early(&mut self, served: Vec<(usize, Expected)>) -> Result<(), Mismatch> {
        for (place, expected) in served {
            match self.early.remove(&place) {
                Some(Err(HubError::OutcomeUnknown(_))) => {}
                Some(answer) => answers::compare(&self.model, &expected, &answer)?,
                None => self.give(vec![(place, expected)], true)?,
            }
        }
        Ok(())
    }
}

impl Player for EnginePlayer {
    fn play(&mut self, step: &Step) -> Result<(), Mismatch> {
        match step {
            Step::Call(ask) => self.burst(std::slice::from_ref(ask)),
            Step::Burst(asks) => self.burst(asks),
            Step::Pass(millis) => {
                self.hands.pass(*millis);
                self.moved()
            }
            Step::Jump(millis) => {
                self.hands.jump(*millis);
                self.moved()
            }
            Step::Socket(id, open) => self.socket(id, *open),
            Step::Commit => Ok(()),
            Step::Restart => self.restart(false),
            Step::Kill => self.restart(true),
            Step::Fault(fault) => {
                self.fault = Some(*fault);
                Ok(())
            }
            Step::Leave => {
                self.leave();
                Ok(())
            }
            Step::Lost(ask) => self.lose(ask),
            Step::Look => look::look(self.hub(), &self.model),
        }
    }

    fn model(&self) -> &Model {
        &self.model
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn powers(&self) -> Powers {
        Powers { is_engine: true, has_file: self.folder.is_some() }
    }
}

fn explained(upcoming: &VecDeque<Stamped>) -> Result<(), Mismatch> {
    match upcoming.front() {
        Some(left) => Err(Mismatch(format!("nothing explains {:?}", left.event))),
        None => Ok(()),
    }
}

/// The answer, where it is there.
fn poll(ticket: &mut Ticket) -> Option<Result<Reply, HubError>> {
    let mut context = Context::from_waker(Waker::noop());
    match Pin::new(ticket).poll(&mut context) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}
