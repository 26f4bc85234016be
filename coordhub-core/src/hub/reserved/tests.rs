//! The tree finds what looking at everything would, and looks at little.

use proptest::prelude::*;

use super::*;

fn resource(text: &str) -> Resource {
    Resource::parse(text).expect("a resource")
}

fn holder(nth: usize) -> EntityId {
    EntityId::parse(&format!("holder-{}", nth % 3)).expect("an id")
}

fn reservation(nth: usize, texts: &[String]) -> Reservation {
    Reservation {
        reservation_id: ReservationId::trusted(&format!("res-{nth:05}")),
        entity_id: holder(nth),
        resources: texts.iter().map(|text| resource(text)).collect(),
        exclusive: nth.is_multiple_of(2),
        reason: None,
        ttl_seconds: 60,
        acquired_at: Timestamp::default(),
        expires_at: Timestamp::default(),
        acquired_seq: nth as u64 + 1,
    }
}

fn reserved(all: &[Vec<String>]) -> Reservations {
    let mut reserved = Reservations::default();
    for (nth, texts) in all.iter().enumerate() {
        reserved.insert(Arc::new(reservation(nth, texts)));
    }
    reserved
}

/// Short paths and patterns that often have something in common.
fn text() -> impl Strategy<Value = String> {
    let first = prop::sample::select(vec!["r:a", "r:b", "r:*", "r:**", "a", "*", "**"]);
    let segment = prop::sample::select(vec!["a", "b", "ab", "a*", "*", "**"]);
    (first, prop::collection::vec(segment, 0..4))
        .prop_map(|(first, rest)| [vec![first], rest].concat().join("/"))
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_tree_finds_what_looking_at_everything_finds(
        all in prop::collection::vec(prop::collection::vec(text(), 1..4), 0..12),
        asked in text(),
        exclusive in any::<bool>(),
        who in 0_usize..4,
    ) {
        let reserved = reserved(&all);
        let (asked, seeker) = (resource(&asked), holder(who));
        let seeker = Seeker { entity_id: (who < 3).then_some(&seeker), exclusive };
        let mut expected: Vec<&str> = reserved
            .all
            .values()
            .filter(|other| other.resources.iter().any(|held| held.overlaps(&asked)))
            .filter(|other| seeker.entity_id != Some(&other.entity_id))
            .filter(|other| exclusive || other.exclusive)
            .map(|other| other.reservation_id.as_str())
            .collect();
        let mut comparisons = Comparisons::default();
        let found =
            reserved.conflicts(&asked, seeker, usize::MAX, &mut comparisons).expect("little");
        let mut found: Vec<&str> = found.iter().map(|one| one.reservation_id.as_str()).collect();
        expected.sort_unstable();
        found.sort_unstable();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn what_is_taken_out_leaves_nothing_behind(
        all in prop::collection::vec(prop::collection::vec(text(), 1..4), 0..8),
        taken in prop::collection::vec(any::<bool>(), 8),
    ) {
        let mut lived = reserved(&all);
        let mut expected = Reservations::default();
        for (nth, texts) in all.iter().enumerate() {
            let one = reservation(nth, texts);
            if taken[nth] {
                prop_assert!(lived.remove(&one.reservation_id).is_some());
            } else {
                expected.insert(Arc::new(one));
            }
        }
        prop_assert_eq!(lived, expected);
    }
}

/// How many comparisons a check of every path costs.
fn cost(reserved: &Reservations, asked: impl Iterator<Item = String>) -> usize {
    let mut comparisons = Comparisons::default();
    let seeker = Seeker { entity_id: None, exclusive: true };
    for text in asked {
        reserved.conflicts(&resource(&text), seeker, 4, &mut comparisons).expect("little");
    }
    COMPARISONS_MAX - comparisons.left
}

#[test]
fn a_thousand_paths_against_a_thousand_reservations_cost_little() {
    let path = |nth: usize| format!("repo:crates/c{}/src/module/file{nth}.rs", nth % 10);
    let files: Vec<_> = (0..1_000).map(|nth| vec![path(nth)]).collect();
    let files = reserved(&files);
    assert_eq!(cost(&files, (0..1_000).map(path)), 1_000);
    assert_eq!(cost(&files, (1_000..2_000).map(path)), 0);
    let folders: Vec<_> = (0..1_000).map(|nth| vec![format!("repo:crates/c{nth}/**")]).collect();
    assert_eq!(cost(&reserved(&folders), (0..1_000).map(path)), 1_000);
    // A pattern meets what is below its literal segments, and no more.
    assert_eq!(cost(&files, ["repo:crates/c3/**/none.rs".to_owned()].into_iter()), 100);
}

#[test]
fn a_call_that_would_hold_others_up_is_refused() {
    let held: Vec<_> = (0..1_500).map(|nth| vec![format!("**/{nth}*")]).collect();
    let reserved = reserved(&held);
    let seeker = Seeker { entity_id: None, exclusive: true };
    let mut comparisons = Comparisons::default();
    let refused = (0..1_000)
        .find_map(|_| reserved.conflicts(&resource("**/x*"), seeker, 4, &mut comparisons).err());
    assert_eq!(refused.and_then(|why| why.field()), Some("resources"));
    // Long patterns take longer, and count for more.
    let long = resource(&format!("**/{}", ["x"; 63].join("/")));
    assert_eq!(resource("a/b").comparison_cost(&resource("**/x*")), 1);
    assert_eq!(long.comparison_cost(&long), 65);
}
