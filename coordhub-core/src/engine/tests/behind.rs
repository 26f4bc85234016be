//! Reading what was acknowledged, whether its tables have it yet or not.

use super::{
    faults::{Faulty, Levers},
    *,
};
use crate::{
    command::{ClaimTask, CompleteTask},
    ids::TaskId,
    model::HistoryKind,
    store::SqliteStore,
};

fn on_disk(levers: &Levers) -> (tempfile::TempDir, Hub) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&folder.path().join("hub.db")).expect("opens");
    let hub = Hub::builder().with_store(Faulty::around(levers, store)).expect("opens");
    (folder, hub)
}

fn sent(hub: &Hub, content: &str) -> MessageId {
    match send(hub, content).expect("sent").outcome {
        Outcome::Sent(sent) => sent[0].message.message_id.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_acknowledged_is_read_at_once() {
    let (_folder, hub) = on_disk(&Levers::default());
    let nobody = hub.reader(None);
    for number in 0..40 {
        let message = sent(&hub, &format!("number {number}"));
        hub.message(&nobody, &message).expect("is read");
        let created = hub.call(Caller::default(), titled("work").1).expect("created");
        let Outcome::Task { task, .. } = created.outcome else { panic!("a task") };
        let id_of = || task.task_id.clone();
        let ada = || Caller::named(id("ada"));
        hub.call(ada(), Command::ClaimTask(ClaimTask::of(id_of()))).expect("claimed");
        let complete = CompleteTask { task_id: id_of(), claim_token: None, result: None };
        hub.call(ada(), Command::CompleteTask(complete)).expect("completed");
        assert_eq!(hub.task_history(&task.task_id, 10).expect("reads").len(), 3);
    }
    hub.close();
}

#[test]
fn what_stands_in_the_tail_survives_its_hub() {
    let (folder, hub) = on_disk(&Levers::default());
    let messages: Vec<_> = (0..5).map(|number| sent(&hub, &format!("number {number}"))).collect();
    // The files as a killed process leaves them.
    let other = tempfile::tempdir().expect("a folder");
    for name in ["hub.db", "hub.db-wal"] {
        std::fs::copy(folder.path().join(name), other.path().join(name)).expect("copies");
    }
    hub.close();
    let again = Hub::open(other.path().join("hub.db")).expect("opens");
    assert_eq!(again.head_seq(), 5);
    let nobody = again.reader(None);
    for message in messages {
        again.message(&nobody, &message).expect("came back");
    }
    again.close();
}

#[test]
fn a_store_that_does_not_fold_says_so_and_loses_nothing() {
    let levers = Levers::default();
    let (_folder, hub) = on_disk(&levers);
    levers.fail_folds(true);
    let message = sent(&hub, "kept");
    let nobody = hub.reader(None);
    let error = hub.message(&nobody, &message).expect_err("cannot be read");
    assert!(matches!(&error, HubError::Unavailable(why) if why.contains("yet")), "{error:?}");
    // What needs no table is read as ever, and writing goes on.
    assert_eq!(contents(&hub), ["kept"]);
    let second = sent(&hub, "kept, too");
    levers.fail_folds(false);
    for message in [message, second] {
        hub.message(&nobody, &message).expect("is read");
    }
    hub.close();
}

#[test]
fn what_is_redacted_or_given_up_is_in_no_row_of_the_tail() {
    let (folder, hub) = on_disk(&Levers::default());
    let conn = || rusqlite::Connection::open(folder.path().join("hub.db")).expect("opens");
    let rows = || -> i64 {
        let sql = "SELECT count(*) FROM tail WHERE data LIKE '%delicate%'";
        conn().query_row(sql, [], |row| row.get(0)).expect("counts")
    };
    let message = sent(&hub, "delicate");
    assert_eq!(rows(), 1);
    hub.call(Caller::named(id("ada")), Command::RedactMessage(message)).expect("redacted");
    assert_eq!(rows(), 0);
    sent(&hub, "delicate, too");
    // Whoever reads history has it folded: its row is old, and still there.
    hub.task_history(&TaskId::parse("none").expect("an id"), 1).expect("reads");
    assert_eq!(rows(), 1);
    let later = hub.now().plus_millis(1);
    assert!(hub.prune(HistoryKind::Messages, later).expect("prunes"));
    assert_eq!(rows(), 0);
    hub.close();
}

#[test]
fn a_tail_that_its_tables_refuse_is_no_commands_fault() {
    let (folder, hub) = on_disk(&Levers::default());
    let conn = rusqlite::Connection::open(folder.path().join("hub.db")).expect("opens");
    // As a fault of the hub's own would be: the row of what was acknowledged cannot be written.
    conn.execute_batch(
        "CREATE TRIGGER fault BEFORE INSERT ON messages WHEN NEW.content = 'refused'
         BEGIN SELECT RAISE(ABORT, 'a fault on purpose'); END",
    )
    .expect("makes it");
    let message = sent(&hub, "refused");
    let error = hub.message(&hub.reader(None), &message).expect_err("has no row");
    assert!(matches!(error, HubError::Unavailable(_)), "{error:?}");
    let ada = Register {
        entity_id: id("ada"),
        entity_type: EntityType::AiAgent,
        name: None,
        capabilities: Vec::new(),
        metadata: JsonText::empty_object(),
    };
    let error = hub.call(Caller::named(id("ada")), Command::Register(ada)).expect_err("waits");
    assert!(matches!(error, HubError::Unavailable(_)), "{error:?}");
    assert!(hub.is_degraded());
    conn.execute_batch("DROP TRIGGER fault").expect("mends it");
    // Each look waits for the next try.
    let mended = (0..40).any(|_| hub.message(&hub.reader(None), &message).is_ok());
    assert!(mended, "it is tried again");
    hub.close();
}
