//! Commands about tasks.

use coordhub_core::{
    JsonText,
    command::{
        AnswerTask, ClaimNext, ClaimTask, Command, CompleteTask, CreateTask, FailTask, ReleaseTask,
        RenewLease, ReturnClaim, UpdateTask,
    },
    ids::{EntityId, TaskId},
    model::{OnBlockerFailed, Priority, Question, TaskStatus},
};

use super::{Generator, json};

const TAGS: [&str; 3] = ["web", "db", "fun"];

impl Generator<'_> {
    pub(super) fn task_command(&mut self, caller: Option<EntityId>) -> (Option<EntityId>, Command) {
        let few = self.model.tasks.len() < 3;
        let n = self.rng.below(100);
        if n < 18 || few {
            return (caller, Command::CreateTask(self.create_task(&[])));
        }
        if n < 22 {
            return (caller, self.create_tasks());
        }
        let task_id = self.a_task(n);
        // Mostly who holds the task is the one who speaks of it.
        let holder = self.model.tasks.get(&task_id).and_then(|task| task.claimed_by.clone());
        let speaks = (50..86).contains(&n) && self.rng.percent(70);
        let caller = if speaks && holder.is_some() { holder } else { caller };
        let claim_token = self.a_token(&task_id);
        let command = match n {
            22..=35 => {
                let lease_seconds = self.rng.percent(60).then(|| self.lease());
                let claim_token = claim_token.filter(|_| self.rng.percent(30));
                Command::ClaimTask(ClaimTask { task_id, lease_seconds, claim_token })
            }
            36..=47 => self.claim_next(),
            48..=49 => Command::RenewLeases,
            50..=54 => Command::RenewLease(RenewLease { task_id, claim_token }),
            55..=69 => {
                let result = self.result();
                Command::CompleteTask(CompleteTask { task_id, result, claim_token })
            }
            70..=77 => Command::FailTask(FailTask {
                task_id,
                reason: self.rng.percent(30).then(|| "it broke".to_owned()),
                claim_token,
            }),
            78..=83 => Command::ReleaseTask(ReleaseTask { task_id, claim_token }),
            84 => {
                let claim_token = claim_token.unwrap_or(1);
                Command::ReturnClaim(ReturnClaim { task_id, claim_token })
            }
            85..=87 => Command::ReassignTask(task_id),
            88..=91 => self.answer(task_id),
            92..=93 => Command::CancelTask(task_id),
            94..=95 => Command::ReopenTask(task_id),
            _ => Command::UpdateTask(self.update(task_id)),
        };
        (caller, command)
    }

    fn create_tasks(&mut self) -> Command {
        let count = 1 + self.rng.below(3);
        let mut all = Vec::new();
        let mut named = Vec::new();
        for _ in 0..count {
            let one = self.create_task(&named);
            named.extend(one.task_id.clone());
            all.push(one);
        }
        Command::CreateTasks(all)
    }

    pub(super) fn create_task(&mut self, before: &[TaskId]) -> CreateTask {
        let task_id = self.rng.percent(70).then(|| task(&format!("t{}", self.rng.below(14))));
        let mut create = CreateTask::titled(format!("title {}", self.label));
        create.task_id = task_id;
        if self.rng.percent(2) {
            create.title = " ".to_owned();
        }
        create.priority = *self.rng.pick(Priority::ALL);
        create.requires_human = self.rng.percent(12);
        create.requires_ai = self.rng.percent(25);
        create.tags = self.tags(30);
        create.capabilities = self.skills(15);
        create.metadata = self.metadata();
        create.max_attempts = self.rng.percent(45).then(|| *self.rng.pick(&[1, 2, 2, 3, 0]));
        create.retry_delay_seconds =
            self.rng.percent(30).then(|| *self.rng.pick(&[0, 1, 60, 3_600]));
        if self.rng.percent(15) {
            create.not_before = Some(self.model.now.plus_millis(self.span() - 1_000));
        }
        if self.rng.percent(40) {
            self.depend(&mut create, before);
        }
        if self.rng.percent(10) {
            self.ask_a_human(&mut create);
        }
        create
    }

    fn depend(&mut self, create: &mut CreateTask, before: &[TaskId]) {
        create.on_blocker_failed =
            *self.rng.pick(&[OnBlockerFailed::Hold, OnBlockerFailed::Cancel]);
        for _ in 0..=self.rng.below(2) {
            let on = match before.last() {
                Some(last) if self.rng.percent(60) => last.clone(),
                _ => self.a_task(100),
            };
            if !create.depends_on.contains(&on) {
                create.depends_on.push(on);
            }
        }
    }

    fn ask_a_human(&mut self, create: &mut CreateTask) {
        create.requires_human = true;
        let options =
            if self.rng.percent(60) { vec!["yes".to_owned(), "no".to_owned()] } else { Vec::new() };
        let deadline = self.rng.percent(60).then(|| self.model.now.plus_millis(self.span().max(1)));
        let default = deadline.filter(|_| self.rng.percent(50)).map(|_| "no".to_owned());
        create.question = Some(Question { options, deadline, default });
    }

    pub(super) fn claim_next(&mut self) -> Command {
        let capabilities = self.rng.percent(25).then(|| self.skills(50));
        let tags = self.tags(8);
        Command::ClaimNext(ClaimNext { capabilities, tags, lease_seconds: self.lease() })
    }

    fn answer(&mut self, task_id: TaskId) -> Command {
        let asked = self.model.tasks.values().filter(|task| task.question.is_some());
        let asked: Vec<TaskId> = asked.map(|task| task.id.clone()).collect();
        let task_id = if asked.is_empty() || self.rng.percent(15) {
            task_id
        } else {
            self.rng.pick(&asked).clone()
        };
        let answer = (*self.rng.pick(&["yes", "no", "perhaps"])).to_owned();
        Command::AnswerTask(AnswerTask { task_id, answer })
    }

    fn update(&mut self, task_id: TaskId) -> UpdateTask {
        let mut update = UpdateTask::of(task_id);
        match self.rng.below(6) {
            0 => update.title = Some(format!("title {}", self.rng.below(3))),
            1 => update.priority = Some(*self.rng.pick(Priority::ALL)),
            2 => update.tags = Some(self.tags(40)),
            3 => update.metadata = Some(self.metadata()),
            4 => update.note = Some(format!("note {}", self.label)),
            _ => update.description = Some(format!("text {}", self.rng.below(3))),
        }
        update
    }

    /// A task, one that fits what is asked for rather than another.
    fn a_task(&mut self, n: usize) -> TaskId {
        if self.rng.percent(3) {
            return task("no-such-task");
        }
        let fits = |status: TaskStatus| match n {
            22..=35 => status == TaskStatus::Open,
            50..=87 => status == TaskStatus::InProgress,
            94..=95 => matches!(status, TaskStatus::Failed | TaskStatus::Cancelled),
            _ => true,
        };
        let tasks = self.model.tasks.values();
        let fitting: Vec<_> = tasks.clone().filter(|task| fits(task.status)).collect();
        let all: Vec<_> =
            if fitting.is_empty() || self.rng.percent(25) { tasks.collect() } else { fitting };
        if all.is_empty() { task("no-such-task") } else { self.rng.pick(&all).id.clone() }
    }

    /// The token of its claim rather than none or another.
    fn a_token(&mut self, id: &TaskId) -> Option<u64> {
        let known = self.model.tasks.get(id)?;
        let leased = known.lease.is_some() || known.lapsed;
        match self.rng.below(10) {
            0..=6 if leased => Some(known.token),
            0..=4 => None,
            5..=7 if known.token > 0 => Some(1 + self.rng.below(known.token as usize) as u64),
            8 => Some(known.token + 1),
            _ => Some(known.token),
        }
    }

    fn lease(&mut self) -> u32 {
        *self.rng.pick(&[5, 5, 10, 60, 60, 300, 300, 3_600, 86_400, 4])
    }

    fn result(&mut self) -> Option<JsonText> {
        match self.rng.below(4) {
            0 => None,
            n => Some(json(&format!("{{\"r\":{n}}}"))),
        }
    }

    fn tags(&mut self, chance: u64) -> Vec<String> {
        self.rng.some(&TAGS.map(str::to_owned), chance)
    }
}

/// A task's id.
fn task(name: &str) -> TaskId {
    TaskId::parse(name).expect("an id")
}
