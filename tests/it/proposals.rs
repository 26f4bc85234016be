//! Proposals: creating, voting, deciding, closing, withdrawing.

use coordhub_harness::Hub;
use serde_json::{Value, json};

use crate::support::{PROPOSAL, column, has_members, is_time, rows, seq};

/// A hub with registered AIs `a` to `e` and a human `anna`.
async fn electorate() -> Hub {
    let hub = Hub::new();
    for entity_id in ["a", "b", "c", "d", "e"] {
        hub.register(entity_id, "ai_agent").await;
    }
    hub.register("anna", "human").await;
    hub
}

async fn propose(hub: &Hub, proposal_id: &str, mut fields: Value) -> Value {
    fields["proposal_id"] = json!(proposal_id);
    fields["title"] = json!(proposal_id);
    hub.post_ok("/proposals/create", fields).await
}

async fn vote(hub: &Hub, proposal: &str, entity: &str, vote: &str) -> coordhub_harness::Response {
    hub.post(&format!("/proposals/{proposal}/vote"), json!({ "entity_id": entity, "vote": vote }))
        .await
}

async fn status(hub: &Hub, proposal: &str) -> String {
    hub.get_ok(&format!("/proposals/{proposal}")).await["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn create_vote_and_read() {
    let hub = electorate().await;
    let body = json!({ "title": "Deploy to production", "proposed_by": "a", "electorate": ["a", "b", "c"] });
    let created = hub.post_ok("/proposals/create", body).await;
    assert_eq!(created["status"], "created");
    seq(&created);
    let id = created["proposal_id"].as_str().unwrap();
    assert!(id.starts_with("prop-"), "{id}");
    has_members(&created["proposal"], PROPOSAL);
    assert_eq!(created["proposal"]["threshold"].as_f64(), Some(0.75));
    is_time(&created["proposal"]["deadline"]);

    let body = json!({ "entity_id": "a", "vote": "for", "comment": "\"yes\"" });
    let voted = hub.post_ok(&format!("/proposals/{id}/vote"), body).await;
    assert_eq!((&voted["status"], &voted["proposal_status"]), (&json!("voted"), &json!("open")));
    assert_eq!(voted["tally"], json!({ "for": 1, "against": 0, "abstain": 0, "eligible": 3 }));
    let proposal = hub.get_ok(&format!("/proposals/{id}")).await;
    has_members(&proposal, PROPOSAL);
    let votes = proposal["votes"].as_array().unwrap();
    assert_eq!(votes.len(), 1);
    assert_eq!(
        (&votes[0]["entity_id"], &votes[0]["vote"], &votes[0]["comment"]),
        (&json!("a"), &json!("for"), &json!("\"yes\""))
    );
    is_time(&votes[0]["at"]);
    hub.get("/proposals/none").await.refusal(404);
    vote(&hub, "none", "a", "for").await.refusal(404);
}

#[tokio::test]
async fn decided_as_soon_as_no_vote_can_change_it() {
    let hub = electorate().await;
    // Each row: electorate, further fields, votes in order, and the status after the last.
    let rows = [
        ("a b c", json!({}), "a+ b+", "open"),
        ("a b c", json!({}), "a+ b+ c+", "approved"),
        ("a b c", json!({}), "a-", "rejected"),
        ("a b c d", json!({}), "a+ b+ c+ d-", "rejected"),
        ("a b c d e", json!({}), "a+ b+ c+ d+", "approved"),
        ("a b c d e", json!({}), "a+ b+ c+ d-", "open"),
        ("a b c d e", json!({}), "a- b-", "rejected"),
        ("a b c", json!({ "threshold": 0.5 }), "a+ b+", "approved"),
        ("a b", json!({ "threshold": 0.5 }), "a+ b-", "rejected"),
        ("a b c", json!({ "threshold": 1 }), "a+ b+", "open"),
        ("a b c", json!({ "threshold": 1 }), "a+ b+ c0", "approved"),
        ("a b c", json!({ "threshold": 1 }), "a+ b-", "rejected"),
        ("a b c", json!({ "threshold": 0 }), "a+ b0", "approved"),
        ("a b c", json!({}), "a0 b0 c0", "rejected"),
        ("a b c", json!({}), "a+ b0 c0", "approved"),
        ("a b c", json!({ "early_close": false }), "a+ b+ c+", "open"),
        ("a b anna", json!({ "requires_human": true }), "a+ b+", "open"),
        ("a b anna", json!({ "requires_human": true }), "a+ b+ anna+", "approved"),
        (
            "a b anna",
            json!({ "requires_human": true, "threshold": 0.5 }),
            "a+ b+ anna-",
            "rejected",
        ),
    ];
    for (index, (electorate, mut fields, votes, end)) in rows.into_iter().enumerate() {
        let proposal = format!("p{index}");
        fields["electorate"] = electorate.split(' ').collect();
        propose(&hub, &proposal, fields.clone()).await;
        for cast in votes.split(' ') {
            let (entity, sign) = cast.split_at(cast.len() - 1);
            let word = match sign {
                "+" => "for",
                "-" => "against",
                _ => "abstain",
            };
            vote(&hub, &proposal, entity, word).await.ok();
        }
        assert_eq!(status(&hub, &proposal).await, end, "{electorate}: {votes} with {fields}");
    }
}

#[tokio::test]
async fn one_vote_an_entity_changeable_while_open() {
    let hub = electorate().await;
    propose(&hub, "p1", json!({ "electorate": ["a", "b", "c", "d", "e"] })).await;
    vote(&hub, "p1", "a", "against").await.ok();
    let changed = vote(&hub, "p1", "a", "for").await.ok();
    assert_eq!(changed["tally"], json!({ "for": 1, "against": 0, "abstain": 0, "eligible": 5 }));
    vote(&hub, "p1", "anna", "for").await.refusal(403);
    vote(&hub, "p1", "stranger", "for").await.refusal(403);
    for word in [json!("yes"), json!("FOR"), json!(true), json!(null)] {
        hub.post("/proposals/p1/vote", json!({ "entity_id": "a", "vote": word }))
            .await
            .wrong_field("vote");
    }
    hub.post("/proposals/p1/vote", json!({ "vote": "for" })).await.problem(403, "caller_needed");
    for entity in ["b", "c", "d"] {
        vote(&hub, "p1", entity, "for").await.ok();
    }
    assert_eq!(status(&hub, "p1").await, "approved");
    vote(&hub, "p1", "e", "for").await.refusal(409);
    vote(&hub, "p1", "a", "against").await.refusal(409);
}

#[tokio::test]
async fn who_is_eligible() {
    let hub = electorate().await;
    hub.register("backup", "service").await;
    for (electorate, eligible) in [
        (json!(null), 6),
        (json!(["ai_agent"]), 5),
        (json!(["human"]), 1),
        (json!(["human", "a"]), 2),
        (json!(["a", "a", "ai_agent"]), 5),
        (json!(["service", "anna"]), 2),
    ] {
        let mut body = json!({ "title": "t" });
        if !electorate.is_null() {
            body["electorate"] = electorate.clone();
        }
        let created = hub.post_ok("/proposals/create", body).await;
        assert_eq!(created["proposal"]["tally"]["eligible"], eligible, "{electorate}: {created}");
    }
    propose(&hub, "named", json!({ "electorate": ["a", "b"] })).await;
    propose(&hub, "default", json!({})).await;
    hub.register("late", "ai_agent").await;
    assert_eq!(hub.get_ok("/proposals/named").await["tally"]["eligible"], 2, "frozen");
    assert_eq!(
        hub.get_ok("/proposals/default").await["tally"]["eligible"],
        7,
        "joined before the first vote"
    );
    vote(&hub, "default", "a", "for").await.ok();
    hub.register("later-ai", "ai_agent").await;
    hub.register("later-human", "human").await;
    assert_eq!(
        hub.get_ok("/proposals/default").await["tally"]["eligible"],
        8,
        "a human still joins, an AI does not"
    );
    vote(&hub, "default", "later-ai", "for").await.refusal(403);
    vote(&hub, "default", "later-human", "for").await.ok();
}

#[tokio::test]
async fn fields_of_a_proposal() {
    let hub = electorate().await;
    hub.post("/proposals/create", json!({})).await.wrong_field("title");
    for (field, value) in [
        ("threshold", json!(-0.1)),
        ("threshold", json!(1.1)),
        ("threshold", json!(0.1234567)),
        ("threshold", json!("half")),
        ("quorum", json!(0)),
        ("quorum", json!(4)),
        ("quorum", json!("all")),
        ("deadline", json!("tomorrow")),
        ("deadline", json!("2099-01-01T00:00:00")),
        ("ttl_seconds", json!(-1)),
        ("electorate", json!([])),
        ("electorate", json!("a")),
        ("requires_human", json!("perhaps")),
    ] {
        let mut body = json!({ "title": "t", "electorate": ["a", "b", "c"] });
        body[field] = value.clone();
        let response = hub.post("/proposals/create", body).await;
        assert_eq!(response.status, 422, "{field}: {value}: {}", response.text());
        response.wrong_field(field);
    }
    let body = json!({ "title": "t", "electorate": ["a", "b"], "requires_human": true });
    hub.post("/proposals/create", body).await.refusal(422);
    propose(&hub, "p1", json!({ "deadline": "2099-01-01T00:00:00Z", "threshold": 0.123456 })).await;
    hub.post("/proposals/create", json!({ "title": "t", "proposal_id": "p1" })).await.refusal(409);
}

#[tokio::test]
async fn list_close_and_withdraw() {
    let hub = electorate().await;
    for proposal in ["p1", "p2", "p3"] {
        propose(&hub, proposal, json!({ "proposed_by": "a", "electorate": ["a", "b", "c"] })).await;
    }
    vote(&hub, "p1", "a", "against").await.ok();
    let withdraw =
        |entity: &str| hub.post("/proposals/p2/withdraw", json!({ "entity_id": entity }));
    withdraw("b").await.refusal(403);
    withdraw("a").await.ok();
    assert_eq!(status(&hub, "p2").await, "withdrawn");
    vote(&hub, "p2", "a", "for").await.refusal(409);
    withdraw("a").await.refusal(409);
    for (query, expected) in [
        ("", &["p1", "p2", "p3"][..]),
        ("?status=open", &["p3"]),
        ("?status=rejected", &["p1"]),
        ("?status=approved", &[]),
    ] {
        let list = hub.get_ok(&format!("/proposals/list{query}")).await;
        assert_eq!(column(&list, "proposals", "proposal_id"), expected, "{query}");
        rows(&list, "proposals").iter().for_each(|proposal| has_members(proposal, PROPOSAL));
    }
    hub.get("/proposals/list?status=perhaps").await.wrong_field("status");

    // Closing decides only by the rule: a vote that is still out may change this one.
    hub.post("/proposals/p3/close", json!({ "entity_id": "a" })).await.refusal(409);
    propose(&hub, "p4", json!({ "electorate": ["a", "b", "c"], "early_close": false })).await;
    for entity in ["a", "b", "c"] {
        vote(&hub, "p4", entity, "for").await.ok();
    }
    hub.post_ok("/proposals/p4/close", json!({ "entity_id": "a" })).await;
    let proposal = hub.get_ok("/proposals/p4").await;
    assert_eq!((&proposal["status"], &proposal["forced"]), (&json!("approved"), &json!(false)));
    is_time(&proposal["decided_at"]);
}

#[tokio::test]
async fn a_deadline_that_passed_while_the_hub_was_down_is_decided_at_start() {
    let mut hub = electorate().await;
    propose(&hub, "p1", json!({ "electorate": ["a", "b", "c"], "ttl_seconds": 1 })).await;
    hub.kill9();
    hub.restart();
    // The hub is down for less than the deadline or for more: in both cases one decision is pushed.
    let mut watcher = hub.socket("/ws/a?notices=proposal_decided&channels=general&since=0").await;
    let (_, notice) = watcher
        .find("the decision", |frame| frame["message"]["message_type"] == "proposal_decided")
        .await;
    assert_eq!(notice["message"]["metadata"]["proposal_id"], "p1", "{notice}");
    assert_eq!(status(&hub, "p1").await, "expired", "without quorum");
}
