//! How votes become an outcome: the whole rule.

use super::{World, id, world::proposal_id};
use crate::{
    command::{CastVote, Closing, Command, CreateProposal, Deadline, Elector, Remove, Role},
    hub::Due,
    model::{Choice, EntityType, ProposalStatus, Threshold},
};

fn create(change: impl FnOnce(&mut CreateProposal)) -> Command {
    let mut create = CreateProposal {
        proposal_id: Some(proposal_id("p")),
        title: "title".into(),
        description: String::new(),
        threshold: Threshold::DEFAULT,
        quorum: None,
        deadline: Deadline::DEFAULT,
        electorate: None,
        requires_human: false,
        closing: Closing::Early,
    };
    change(&mut create);
    Command::CreateProposal(create)
}

fn vote(choice: Choice) -> Command {
    Command::CastVote(CastVote { proposal_id: proposal_id("p"), vote: choice, comment: None })
}

fn close() -> Command {
    Command::CloseProposal(proposal_id("p"))
}

fn withdraw() -> Command {
    Command::WithdrawProposal(proposal_id("p"))
}

fn remove(name: &str) -> Command {
    Command::Remove(Remove { entity_id: id(name) })
}

fn electors(names: &[&str]) -> Option<Vec<Elector>> {
    let elector = |name: &&str| match EntityType::parse(name) {
        Some(kind) => Elector::Type(kind),
        None => Elector::Entity(id(name)),
    };
    Some(names.iter().map(elector).collect())
}

fn threshold(number: &str) -> Threshold {
    Threshold::parse(number).expect("a threshold")
}

/// `h0`, `h1`, … are humans; `a0`, `a1`, … AIs.
fn world_of(humans: usize, ais: usize) -> World {
    let mut world = World::new();
    (0..humans).for_each(|n| world.register(&format!("h{n}"), EntityType::Human));
    (0..ais).for_each(|n| world.register(&format!("a{n}"), EntityType::AiAgent));
    world
}

fn status(world: &World) -> &'static str {
    world.proposal("p").status.as_str()
}

/// Lets AIs vote in their order, one letter each: `f`or, `a`gainst, a`b`stain. Stops when it is decided.
fn vote_all(world: &mut World, votes: &str) -> usize {
    for (n, letter) in votes.chars().enumerate() {
        if status(world) != "open" {
            return n;
        }
        let choice = match letter {
            'f' => Choice::For,
            'a' => Choice::Against,
            'b' => Choice::Abstain,
            other => panic!("no vote {other}"),
        };
        world.must(&format!("a{n}"), vote(choice));
    }
    votes.len()
}

/// Electors, threshold, quorum, votes; where it stands after them, and at the deadline.
#[test]
fn the_rule() {
    let cases = [
        // More than three quarters, by whole numbers.
        (4, "0.75", None, "fffa", "rejected", 4),
        (4, "0.75", None, "afff", "rejected", 1),
        (4, "0.75", None, "ffff", "approved", 4),
        (5, "0.75", None, "ffffa", "approved", 4),
        (5, "0.75", None, "afffa", "rejected", 5),
        (5, "0.75", None, "affff", "approved", 5),
        (5, "0.8", None, "affff", "rejected", 1),
        (5, "0.799999", None, "affff", "approved", 5),
        (3, "0.5", None, "ff", "approved", 2),
        (4, "0.5", None, "ff", "open", 2),
        (4, "0.5", None, "fff", "approved", 3),
        (4, "0.5", None, "ffaa", "rejected", 4),
        (4, "0.5", None, "aa", "rejected", 2),
        // Nothing to exceed: one vote for is enough, as soon as nobody can take it away.
        (3, "0", None, "ff", "approved", 2),
        (3, "0", None, "aaf", "approved", 3),
        (3, "0", None, "aaa", "rejected", 3),
        (3, "0", None, "bbb", "rejected", 3),
        // All of for + against; abstentions are neither.
        (3, "1", None, "ff", "open", 2),
        (3, "1", None, "fff", "approved", 3),
        (3, "1", None, "ffb", "approved", 3),
        (3, "1", None, "a", "rejected", 1),
        (3, "1", None, "fa", "rejected", 2),
        (3, "1", None, "bbb", "rejected", 3),
        // Abstentions count for the quorum, and for nothing else.
        (4, "0.75", Some(3), "fb", "open", 2),
        (4, "0.75", Some(4), "fbbb", "approved", 4),
        (4, "0.75", Some(4), "fbba", "rejected", 4),
        (4, "0.75", Some(2), "bb", "open", 2),
        (4, "0.75", Some(1), "f", "open", 1),
        (1, "0.75", None, "f", "approved", 1),
        (1, "0.75", None, "a", "rejected", 1),
        (1, "0.75", None, "b", "rejected", 1),
        // Rejected whatever the quorum, as soon as it can no longer be approved.
        (8, "0.75", Some(8), "aa", "rejected", 2),
    ];
    for (eligible, limit, quorum, votes, expected, after) in cases {
        let told = format!("{eligible} eligible, {limit}, quorum {quorum:?}: {votes}");
        let mut world = world_of(0, eligible);
        world.must("", create(|c| (c.threshold, c.quorum) = (threshold(limit), quorum)));
        let cast = vote_all(&mut world, votes);
        assert_eq!((status(&world), cast), (expected, after), "{told}");
        let decided = world.proposal("p").decided_at;
        assert_eq!(decided.is_some(), expected != "open", "{told}");
    }
}

#[test]
fn seventy_five_of_a_hundred_is_not_more_than_three_quarters() {
    for (for_, against, passes) in [(75, 25, false), (76, 24, true), (3, 1, false), (0, 0, false)] {
        assert_eq!(Threshold::DEFAULT.is_passed(for_, against), passes, "{for_} : {against}");
    }
    let mut world = world_of(0, 100);
    world.must("", create(|c| c.closing = Closing::AtDeadline));
    vote_all(&mut world, &("f".repeat(75) + &"a".repeat(25)));
    world.later(86_400).tick();
    assert_eq!(status(&world), "rejected");
}

/// What the deadline makes of votes that decide nothing before it.
#[test]
fn the_deadline() {
    let cases = [
        (4, None, "", "expired"),
        (4, None, "ff", "expired"),
        (4, None, "fff", "approved"),
        (4, None, "ffa", "rejected"),
        (4, None, "fbb", "approved"),
        (4, None, "bbb", "rejected"),
        (4, None, "faa", "rejected"),
        (4, None, "ffaa", "rejected"),
        (4, Some(1), "f", "approved"),
        (4, Some(1), "b", "rejected"),
        (4, Some(4), "fff", "expired"),
        (3, None, "f", "expired"),
        (3, None, "ff", "approved"),
    ];
    for (eligible, quorum, votes, expected) in cases {
        let told = format!("{eligible} eligible, quorum {quorum:?}: {votes}");
        let mut world = world_of(0, eligible);
        world.must(
            "",
            create(|c| {
                c.quorum = quorum;
                c.closing = Closing::AtDeadline;
                c.deadline = Deadline::AfterMillis(10_000);
            }),
        );
        vote_all(&mut world, votes);
        let due = world.now.plus_millis(10_000);
        assert_eq!(world.state.next_deadline(), Some(due), "{told}");
        assert!(world.later(9).tick().is_empty(), "{told}: nothing before its time");
        assert_eq!(world.later(1).tick(), ["proposal_decided"], "{told}");
        assert_eq!((status(&world), world.proposal("p").forced), (expected, false), "{told}");
        assert!(world.later(100).tick().is_empty(), "{told}: decided once");
        assert_eq!(world.state.next_deadline(), None, "{told}");
    }
}

#[test]
fn what_is_due_together_is_decided_in_order() {
    let mut world = world_of(0, 1);
    for (name, seconds) in [("z", 5), ("b", 9), ("a", 9), ("c", 90)] {
        world.must(
            "",
            create(|c| {
                c.proposal_id = Some(proposal_id(name));
                c.deadline = Deadline::AfterMillis(seconds * 1_000);
            }),
        );
    }
    world.later(10);
    let mut order = Vec::new();
    while let Some((_, Due::Proposal(first))) = world.state.first_due().cloned()
        && world.tick_once() == ["proposal_decided"]
    {
        order.push(first.to_string());
    }
    assert_eq!(order, ["z", "a", "b"]);
    assert_eq!(world.state.next_deadline(), Some(world.now.plus_millis(80_000)));
}

#[test]
fn a_human_must_be_for_it_where_one_is_needed() {
    let cases = [
        // Humans, AIs; who votes what in turn; where it then stands.
        (1, 3, &[("a0", Choice::For), ("a1", Choice::For), ("a2", Choice::For)][..], "open"),
        (
            1,
            3,
            &[("a0", Choice::For), ("a1", Choice::For), ("a2", Choice::For), ("h0", Choice::For)],
            "approved",
        ),
        (
            1,
            3,
            &[
                ("a0", Choice::For),
                ("a1", Choice::For),
                ("a2", Choice::For),
                ("h0", Choice::Abstain),
            ],
            "rejected",
        ),
        (1, 3, &[("h0", Choice::Abstain)], "rejected"),
        (1, 9, &[("h0", Choice::Against)], "rejected"),
        (2, 9, &[("h0", Choice::Against)], "open"),
        (2, 9, &[("h0", Choice::Abstain), ("h1", Choice::Abstain)], "rejected"),
        (2, 1, &[("h0", Choice::For), ("h1", Choice::For), ("a0", Choice::For)], "approved"),
        (0, 2, &[("a0", Choice::For)], "rejected"),
    ];
    for (humans, ais, votes, expected) in cases {
        let mut world = world_of(humans, ais);
        world.must("", create(|c| c.requires_human = true));
        for (who, choice) in votes {
            world.must(who, vote(*choice));
        }
        assert_eq!(status(&world), expected, "{humans} humans, {ais} AIs: {votes:?}");
    }
    // At the deadline the same holds.
    let mut world = world_of(1, 3);
    world.must("", create(|c| c.requires_human = true));
    vote_all(&mut world, "fff");
    world.later(86_400).tick();
    assert_eq!(status(&world), "rejected");
}

#[test]
fn a_vote_may_be_changed_while_it_is_open() {
    let mut world = world_of(0, 4);
    world.must("", create(|_| {}));
    let (cast, same): (&[&str], &[&str]) = (&["vote_cast"], &[]);
    for (choice, tally, happened) in [
        (Choice::For, (1, 0, 0), cast),
        (Choice::For, (1, 0, 0), same),
        (Choice::Abstain, (0, 0, 1), cast),
        (Choice::For, (1, 0, 0), cast),
    ] {
        assert_eq!(world.must("a0", vote(choice)), happened);
        let got = world.proposal("p").tally;
        assert_eq!((got.r#for, got.against, got.abstain), tally, "{choice}");
        assert_eq!(got.eligible, 4);
    }
    assert_eq!(world.must("a0", vote(Choice::Against)), ["vote_cast", "proposal_decided"]);
    assert_eq!(world.code("a0", vote(Choice::For)), "proposal_closed");
    assert_eq!(world.code("a1", vote(Choice::For)), "proposal_closed");
    assert_eq!(world.code("", close()), "proposal_closed");
    assert_eq!(world.code("a0", withdraw()), "proposal_closed");
    assert_eq!(world.code("stranger", vote(Choice::For)), "not_in_electorate");
}

#[test]
fn who_may_vote() {
    let mut world = World::with_everyone();
    world.must("ada", create(|c| c.electorate = electors(&["ada", "bo"])));
    let comment = Some("c".repeat(262_145));
    let long = CastVote { proposal_id: proposal_id("p"), vote: Choice::For, comment };
    let missing =
        CastVote { proposal_id: proposal_id("no-such-proposal"), vote: Choice::For, comment: None };
    for (who, command, expected) in [
        ("cy", vote(Choice::For), "not_in_electorate"),
        ("sam", vote(Choice::For), "not_in_electorate"),
        ("stranger", vote(Choice::For), "not_in_electorate"),
        ("", vote(Choice::For), "caller_needed"),
        ("", Command::CastVote(missing), "unknown_proposal"),
        ("ada", Command::CastVote(long), "too_large"),
        ("ada", vote(Choice::For), "ok"),
        ("", Command::CloseProposal(proposal_id("no-such-proposal")), "unknown_proposal"),
        ("", Command::WithdrawProposal(proposal_id("no-such-proposal")), "unknown_proposal"),
    ] {
        assert_eq!(world.code(who, command), expected, "{who:?}");
    }
}

fn electorate(world: &World) -> Vec<String> {
    world.proposal("p").electorate.iter().map(ToString::to_string).collect()
}

#[test]
fn whom_an_electorate_names() {
    let cases = [
        (electors(&["ada", "bo"]), false, Ok("ada bo")),
        (electors(&["human"]), true, Ok("ada")),
        (electors(&["ai_agent", "claude_session", "bo"]), false, Ok("bo cy")),
        (electors(&["service"]), false, Ok("sam")),
        (electors(&["sam", "human"]), false, Ok("ada sam")),
        (electors(&[]), false, Err("invalid_field")),
        (electors(&["nobody"]), false, Err("invalid_field")),
        (electors(&["ada", "nobody"]), false, Err("invalid_field")),
        (electors(&["bo", "cy"]), true, Err("invalid_field")),
    ];
    for (named, requires_human, expected) in cases {
        let told = format!("{named:?}");
        let mut world = World::with_everyone();
        let made =
            world.ask("", create(|c| (c.electorate, c.requires_human) = (named, requires_human)));
        let got = made.map(|_| electorate(&world).join(" ")).map_err(|why| why.code());
        assert_eq!(got, expected.map(str::to_owned), "{told}");
    }
    // A type of which there is nobody is empty.
    let mut world = world_of(1, 0);
    assert_eq!(world.code("", create(|c| c.electorate = electors(&["service"]))), "invalid_field");
}

#[test]
fn an_unnamed_electorate_is_whoever_was_seen_within_a_day() {
    let mut world = World::with_everyone();
    world.later(86_400 + 1);
    world.is_online("cy", EntityType::ClaudeSession);
    world.soft.last_seen.insert(id("bo"), world.now.plus_millis(-86_400_001));
    world.soft.last_seen.insert(id("sam"), world.now);
    world.register("di", EntityType::AiAgent);
    world.must("", create(|_| {}));
    assert_eq!(
        electorate(&world),
        ["cy", "di"],
        "registering is being seen; services have no vote"
    );
    world.soft.last_seen.insert(id("bo"), world.now.plus_millis(-86_400_000));
    world.must("", create(|c| c.proposal_id = Some(proposal_id("q"))));
    assert_eq!(world.proposal("q").electorate.len(), 3);
}

#[test]
fn newcomers_join_before_the_first_vote_and_humans_later_too() {
    let mut world = world_of(1, 1);
    world.must("", create(|_| {}));
    assert_eq!(electorate(&world), ["a0", "h0"]);
    assert_eq!(world.proposal("p").quorum, 2);
    world.register("new-ai", EntityType::ClaudeSession);
    world.register("new-human", EntityType::Human);
    world.register("new-service", EntityType::Service);
    assert_eq!(electorate(&world), ["a0", "h0", "new-ai", "new-human"]);
    assert_eq!(world.proposal("p").quorum, 3, "a default quorum follows");
    world.must("a0", vote(Choice::For));
    world.register("late-ai", EntityType::AiAgent);
    world.register("late-human", EntityType::Human);
    assert_eq!(electorate(&world), ["a0", "h0", "late-human", "new-ai", "new-human"]);
    assert_eq!(world.code("late-ai", vote(Choice::For)), "not_in_electorate");
    world.must("late-human", vote(Choice::For));

    // A named electorate stays as it was named, and a named quorum as well.
    let mut world = world_of(1, 1);
    world.must("", create(|c| c.electorate = electors(&["human"])));
    world.register("new-human", EntityType::Human);
    assert_eq!(electorate(&world), ["h0"]);
    let mut world = world_of(1, 1);
    world.must("", create(|c| c.quorum = Some(1)));
    world.register("new-human", EntityType::Human);
    assert_eq!(world.proposal("p").quorum, 1);
}

#[test]
fn whoever_leaves_votes_no_more_but_has_voted() {
    // A vote that was cast stands, and stays counted.
    let mut world = world_of(1, 4);
    world.must("", create(|_| {}));
    world.must("a0", vote(Choice::For));
    world.must("a0", remove("a0"));
    let proposal = world.proposal("p");
    assert_eq!((proposal.tally.r#for, proposal.tally.eligible, proposal.quorum), (1, 5, 3));
    // Whoever had not voted is no longer eligible; the quorum follows.
    world.must("a1", remove("a1"));
    let proposal = world.proposal("p");
    assert_eq!((proposal.tally.eligible, proposal.quorum), (4, 3));
    // A removed id that registers anew, as whatever, has no vote in what was open then.
    for (name, kind) in
        [("a0", EntityType::Human), ("a1", EntityType::Human), ("a1x", EntityType::Human)]
    {
        world.register(name, kind);
    }
    assert_eq!(electorate(&world), ["a0", "a1x", "a2", "a3", "h0"]);
    assert_eq!(world.code("a0", vote(Choice::Against)), "not_in_electorate");
    assert_eq!(world.code("a1", vote(Choice::Against)), "not_in_electorate");
    assert_eq!(world.proposal("p").tally.r#for, 1);
}

#[test]
fn a_departure_may_decide() {
    // With the last vote out gone, the votes cast are all there will be.
    let mut world = world_of(0, 3);
    world.must("", create(|c| c.threshold = Threshold::UNANIMOUS));
    vote_all(&mut world, "ff");
    assert_eq!(status(&world), "open");
    assert_eq!(world.must("a2", remove("a2")), ["entity_removed", "proposal_decided"]);
    assert_eq!(status(&world), "approved");

    // With the only human gone, none can be for it.
    let mut world = world_of(1, 3);
    world.must("", create(|c| c.requires_human = true));
    world.must("a0", vote(Choice::For));
    assert_eq!(world.must("h0", remove("h0")), ["entity_removed", "proposal_decided"]);
    assert_eq!(status(&world), "rejected");

    // A human whose vote for it was cast, and who left, was for it.
    let mut world = world_of(1, 1);
    world.must("", create(|c| c.requires_human = true));
    world.must("h0", vote(Choice::For));
    assert_eq!(world.must("h0", remove("h0")), ["entity_removed"]);
    world.must("a0", vote(Choice::For));
    assert_eq!(status(&world), "approved");

    // What waits for its deadline goes on waiting.
    let mut world = world_of(0, 2);
    world.must("", create(|c| c.closing = Closing::AtDeadline));
    world.must("a0", vote(Choice::For));
    assert_eq!(world.must("a1", remove("a1")), ["entity_removed"]);
    assert_eq!(status(&world), "open");
}

#[test]
fn what_is_decided_is_decided_once() {
    // The one who leaves was in the electorate of a proposal that the same batch has decided already.
    let mut world = world_of(0, 4);
    world.must("", create(|_| {}));
    world.must("a0", vote(Choice::Against));
    assert_eq!(status(&world), "rejected");
    assert_eq!(world.must("a1", remove("a1")), ["entity_removed"]);
    assert_eq!(electorate(&world).len(), 4, "what was decided stays as it was decided");
}

#[test]
fn closing_early_is_by_the_rule_except_for_an_admin() {
    let mut world = world_of(0, 4);
    world.must("", create(|c| c.closing = Closing::AtDeadline));
    vote_all(&mut world, "ff");
    assert_eq!(world.code("a0", close()), "not_decided_yet");
    world.must("a2", vote(Choice::Against));
    assert_eq!(status(&world), "open", "it does not close by itself");
    assert_eq!(world.must("", close()), ["proposal_decided"]);
    let proposal = world.proposal("p");
    assert_eq!((proposal.status, proposal.forced), (ProposalStatus::Rejected, false));

    for (votes, expected) in [("", "expired"), ("fff", "approved"), ("ffb", "approved")] {
        let mut world = world_of(0, 5);
        world.must("", create(|_| {}));
        vote_all(&mut world, votes);
        assert_eq!(status(&world), "open", "{votes}");
        world.role(Role::Admin).must("root", close());
        assert_eq!((status(&world), world.proposal("p").forced), (expected, true), "{votes}");
    }
}

#[test]
fn withdrawing() {
    for (proposer, who, role, expected) in [
        ("ada", "ada", Role::Member, "ok"),
        ("ada", "bo", Role::Member, "not_allowed"),
        ("bo", "ada", Role::Member, "not_allowed"),
        ("bo", "root", Role::Admin, "ok"),
        ("", "bo", Role::Member, "ok"),
        ("ada", "", Role::Member, "caller_needed"),
    ] {
        let mut world = World::with_everyone();
        world.must(proposer, create(|_| {}));
        let got = world.role(role).code(who, withdraw());
        assert_eq!(got, expected, "{who:?} withdraws what {proposer:?} proposed");
        if expected == "ok" {
            assert_eq!(status(&world), "withdrawn");
            assert_eq!(world.state.next_deadline(), None);
        }
    }
}

#[test]
fn what_cannot_be_proposed() {
    let mut world = World::with_everyone();
    let past = |world: &World| Deadline::At(world.now);
    let soon = |world: &World| Deadline::At(world.now.plus_millis(1));
    for (command, expected) in [
        (create(|c| c.title = String::new()), "invalid_field"),
        (create(|c| c.title = "t".repeat(513)), "invalid_field"),
        (create(|c| c.description = "d".repeat(262_145)), "too_large"),
        (create(|c| c.quorum = Some(0)), "invalid_field"),
        (create(|c| c.quorum = Some(4)), "invalid_field"),
        (create(|c| c.deadline = past(&world)), "invalid_field"),
        (create(|c| (c.deadline, c.quorum) = (soon(&world), Some(3))), "ok"),
        (create(|_| {}), "proposal_exists"),
        // What is wrong is said before what conflicts.
        (create(|c| c.quorum = Some(9)), "invalid_field"),
    ] {
        assert_eq!(world.code("", command), expected);
    }
    world.later(1).tick();
    assert_eq!(world.code("", create(|_| {})), "proposal_exists", "one that is history, too");
}

#[test]
fn thresholds_are_exact() {
    for (number, millionths) in [
        ("0.75", Some(750_000)),
        ("0.750", Some(750_000)),
        ("7.5e-1", Some(750_000)),
        ("1", Some(1_000_000)),
        ("1.0", Some(1_000_000)),
        ("0", Some(0)),
        ("0.123456", Some(123_456)),
        ("0.333333", Some(333_333)),
        ("0.1234567", None),
        ("1.000001", None),
        ("-0.1", None),
        ("75", None),
        ("NaN", None),
        ("\"0.5\"", None),
    ] {
        let got = Threshold::parse(number).ok().map(Threshold::millionths);
        assert_eq!(got, millionths, "{number}");
    }
}
