//! Which patterns have a path in common: by cases, and against one who tries every path.

use proptest::prelude::*;

use super::*;

fn resource(text: &str) -> Resource {
    Resource::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"))
}

#[track_caller]
fn check_overlap(one: &str, two: &str, expected: bool) {
    let (one, two) = (resource(one), resource(two));
    assert_eq!(one.overlaps(&two), expected, "{one} and {two}");
    assert_eq!(two.overlaps(&one), expected, "{two} and {one}");
}

#[test]
fn paths_and_patterns() {
    for (one, two, expected) in [
        ("repo:src/a.rs", "repo:src/a.rs", true),
        ("repo:src/a.rs", "repo:src/b.rs", false),
        ("repo:src/a.rs", "other:src/a.rs", false),
        ("src", "src/a.rs", false),
        ("src/**", "src", true),
        ("src/**", "src/a/b/c.rs", true),
        ("src/**", "srcs/a", false),
        ("src/*", "src", false),
        ("src/*", "src/a", true),
        ("src/*", "src/a/b", false),
        ("**", "a/b/c", true),
        ("**/mod.rs", "mod.rs", true),
        ("**/mod.rs", "src/hub/mod.rs", true),
        ("**/mod.rs", "src/**", true),
        ("**/mod.rs", "src/*.md", false),
        ("a/**/b", "a/b", true),
        ("a/**/b", "**/c", false),
        ("a/**/b/**/c", "a/x/b/y/c", true),
        ("a/**/b/**/c", "a/c/b", false),
        ("a/**/b/c/**/d", "a/b/b/c/d", true),
        ("a*b", "ab", true),
        ("a*b", "aba", false),
        ("a*b*c", "a-b-b-c", true),
        ("a*b", "*ba", false),
        ("*.rs", "a*", true),
        ("*.rs", "*.md", false),
        ("a?", "ab", false),
        ("a?", "a?", true),
        ("[ab]", "a", false),
        ("[ab]", "[*", true),
        ("Zoë/*", "Zoe\u{308}/x", true),
        // All of a prefix, however it is written.
        ("repo:**", "repo:a", true),
        ("repo:**", "repo:a/b", true),
        ("repo:**", "repo2:a", false),
        ("repo:**/x.rs", "repo:x.rs", true),
        ("repo:**/x.rs", "repo:a/x.rs", true),
        ("repo:**/x.rs", "repo:a/b/x.rs", true),
        ("repo:**/x.rs", "repo:ax.rs", false),
        ("repo:**/**/x", "repo:x", true),
        ("repo:**/**", "repo:x", true),
        ("repo:**/*.rs", "repo:src/**", true),
    ] {
        check_overlap(one, two, expected);
    }
}

#[test]
fn what_is_no_resource() {
    use InvalidResource as I;
    let check = |text: &str, expected: InvalidResource| {
        assert_eq!(Resource::parse(text).err(), Some(expected), "{text:?}");
    };
    check("", I::Length(0));
    check(&"x".repeat(RESOURCE_BYTES_MAX + 1), I::Length(RESOURCE_BYTES_MAX + 1));
    check(&vec!["a"; RESOURCE_SEGMENTS_MAX + 1].join("/"), I::Segments(RESOURCE_SEGMENTS_MAX + 1));
    for empty in ["/a", "a/", "a//b", "/"] {
        check(empty, I::EmptySegment(empty.to_owned()));
    }
    for dots in ["./a", "a/..", "a/./b"] {
        check(dots, I::DotSegment(dots.to_owned()));
    }
    check("a\nb", I::Character('\n'));
    for glued in ["a**", "a/**b", "a/b:**", "a**:**", "***", "repo:**b"] {
        check(glued, I::DeepInSegment(glued.to_owned()));
    }
    for good in ["a", "**", "repo:**", "a:b:**/c", "...", "a b/ü?[x]", "c:/x"] {
        assert!(Resource::parse(good).is_ok(), "{good}");
    }
    assert!(Resource::parse(&vec!["a"; RESOURCE_SEGMENTS_MAX].join("/")).is_ok());
    assert!(Resource::parse(&"x".repeat(RESOURCE_BYTES_MAX)).is_ok());
}

#[test]
fn what_was_stored_reads_back_as_it_was() {
    for text in ["repo:**/x", "a/*b*/**"] {
        let json = serde_json::to_string(&resource(text)).expect("text");
        let back: Resource = serde_json::from_str(&json).expect("a resource");
        assert_eq!(back, resource(text));
        assert_eq!(back.patterns().len(), resource(text).patterns().len());
    }
}

/// Whether a path matches, told as simply as it can be.
fn naive_path(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], []) => true,
        (["**", rest @ ..], _) => {
            naive_path(rest, path) || (!path.is_empty() && naive_path(pattern, &path[1..]))
        }
        ([segment, rest @ ..], [name, names @ ..]) => {
            naive_segment(segment.as_bytes(), name.as_bytes()) && naive_path(rest, names)
        }
        _ => false,
    }
}

fn naive_segment(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => {
            naive_segment(rest, name) || (!name.is_empty() && naive_segment(pattern, &name[1..]))
        }
        ([a, rest @ ..], [b, names @ ..]) => a == b && naive_segment(rest, names),
        _ => false,
    }
}

/// Every text of letters, 1 to `len_max` of them.
fn texts(len_max: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut from = 0;
    for _ in 0..len_max {
        let to = all.len();
        for at in from..to {
            let longer = ["a", "b"].map(|letter| format!("{}{letter}", all[at]));
            all.extend(longer);
        }
        from = to;
    }
    all.remove(0);
    all
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    /// Two patterns of at most five letters and stars that have a name in common have one of at most
    /// ten letters.
    #[test]
    fn segments_overlap_where_some_name_matches_both(one in "[ab*]{1,5}", two in "[ab*]{1,5}") {
        prop_assume!(!one.contains("**") && !two.contains("**"));
        thread_local!(static NAMES: Vec<String> = texts(10));
        let both = |name: &String| {
            naive_segment(one.as_bytes(), name.as_bytes())
                && naive_segment(two.as_bytes(), name.as_bytes())
        };
        let expected = NAMES.with(|names| names.iter().any(both));
        let (one, two) = (resource(&one), resource(&two));
        prop_assert_eq!(one.overlaps(&two), expected, "{} and {}", one, two);
        prop_assert_eq!(two.overlaps(&one), expected, "{} and {}", two, one);
    }

    /// The same of segments: each name is one letter, and a path has as many as both have segments.
    #[test]
    fn patterns_overlap_where_some_path_matches_both(
        one in prop::collection::vec(prop::sample::select(vec!["a", "b", "*", "**"]), 1..6),
        two in prop::collection::vec(prop::sample::select(vec!["a", "b", "*", "**"]), 1..6),
    ) {
        thread_local!(static PATHS: Vec<String> = texts(10));
        let both = |path: &String| {
            let names: Vec<&str> = (0..path.len()).map(|at| &path[at..=at]).collect();
            naive_path(&one, &names) && naive_path(&two, &names)
        };
        let expected = PATHS.with(|paths| paths.iter().any(both));
        let (one, two) = (resource(&one.join("/")), resource(&two.join("/")));
        prop_assert_eq!(one.overlaps(&two), expected, "{} and {}", one, two);
        prop_assert_eq!(two.overlaps(&one), expected, "{} and {}", two, one);
    }
}
