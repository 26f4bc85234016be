//! What can be reserved: paths, and patterns of paths.
//!
//! A resource is read segment by segment. `*` stands for any characters within one segment, `**` as a
//! whole segment for any number of segments, none included; every other character is itself, `?` and
//! `[` too. A prefix such as `repo:` is part of the first segment.
//!
//! Whether two patterns have a path in common is decided in one pass: where both have a gap, what
//! stands before the first and after the last of them decides alone, since a path can hold the rest
//! of both in between; where one has none, the other is fitted into it from the left.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use unicode_normalization::UnicodeNormalization;

use crate::limits::{RESOURCE_BYTES_MAX, RESOURCE_SEGMENTS_MAX};

/// How many pairs of segments are looked at for the price of one comparison.
const SEGMENTS_OF_ONE_COMPARISON: usize = 64;
/// Any number of segments.
const DEEP: &str = "**";
/// What `repo:**` ends with: everything under a prefix.
const DEEP_PREFIX: &str = ":**";

/// A path or a pattern of paths, parsed once.
#[derive(Clone)]
pub struct Resource(Arc<Inner>);

struct Inner {
    text: Box<str>,
    /// One, or two where the text means two: `repo:**/x` is `repo:x` and `repo:*/**/x`.
    patterns: Vec<Pattern>,
}

/// Why a text names nothing that can be reserved; the message says what would.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidResource {
    /// Empty, or over the limit.
    #[error("a resource has 1 to {RESOURCE_BYTES_MAX} bytes; this one has {0}")]
    Length(usize),
    /// Over the limit.
    #[error("a resource has at most {RESOURCE_SEGMENTS_MAX} segments; this one has {0}")]
    Segments(usize),
    /// Nothing between two slashes, or before the first or after the last one.
    #[error(
        "{0:?} has an empty segment; leave out a '/' at the beginning, at the end and after another, and write dir/** for all that is in a folder"
    )]
    EmptySegment(String),
    /// `.` or `..`.
    #[error("{0:?} has the segment \".\" or \"..\"; write the path that it comes to")]
    DotSegment(String),
    /// A control character.
    #[error("a resource may not contain the control character {0:?}")]
    Character(char),
    /// `**` beside other characters.
    #[error(
        "in {0:?} a \"**\" stands beside other characters; between two '/' it stands alone (src/**), and \"*\" is for a part of one segment (src/a*)"
    )]
    DeepInSegment(String),
}

impl Resource {
    /// Reads a resource from outside, or says why it is none. Its characters are brought into normal
    /// form C, so that a name has one spelling.
    ///
    /// ```
    /// use coordhub_core::resource::Resource;
    /// let all = Resource::parse("repo:src/**")?;
    /// assert!(all.overlaps(&Resource::parse("repo:src/hub/mod.rs")?));
    /// assert!(!all.overlaps(&Resource::parse("repo:docs/*.md")?));
    /// # Ok::<(), coordhub_core::resource::InvalidResource>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, InvalidResource> {
        // What is far too long is not normalized first.
        check_length(text)?;
        let text: String = text.nfc().collect();
        check(&text)?;
        Ok(Self::trusted(text))
    }

    /// A resource that was parsed before.
    fn trusted(text: String) -> Self {
        let patterns = patterns(&text);
        Self(Arc::new(Inner { text: text.into(), patterns }))
    }

    /// As it was given, in normal form C.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Whether some path is meant by both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.0.patterns.iter().any(|one| other.0.patterns.iter().any(|two| overlap(one, two)))
    }

    /// About what it costs to compare the two: 1 where they are no longer than most.
    pub(crate) fn comparison_cost(&self, other: &Self) -> usize {
        let segments = |one: &Self| one.as_str().bytes().filter(|byte| *byte == b'/').count() + 1;
        1 + segments(self) * segments(other) / SEGMENTS_OF_ONE_COMPARISON
    }

    /// What it means: a path matches it that matches one of these.
    pub(crate) fn patterns(&self) -> &[Pattern] {
        &self.0.patterns
    }
}

impl PartialEq for Resource {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Resource {}

impl PartialOrd for Resource {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Resource {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Resource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Resources are read back from the hub's own store, where only valid ones were written; rules that
/// have been tightened since must not make an old file unreadable.
impl<'de> Deserialize<'de> for Resource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Err(de::Error::custom("a resource is empty"));
        }
        Ok(Self::trusted(text))
    }
}

fn check_length(text: &str) -> Result<(), InvalidResource> {
    if text.is_empty() || text.len() > RESOURCE_BYTES_MAX {
        return Err(InvalidResource::Length(text.len()));
    }
    Ok(())
}

fn check(text: &str) -> Result<(), InvalidResource> {
    check_length(text)?;
    if let Some(bad) = text.chars().find(|c| c.is_control()) {
        return Err(InvalidResource::Character(bad));
    }
    let segments = text.split('/').count();
    if segments > RESOURCE_SEGMENTS_MAX {
        return Err(InvalidResource::Segments(segments));
    }
    for (nth, segment) in text.split('/').enumerate() {
        match segment {
            "" => return Err(InvalidResource::EmptySegment(text.to_owned())),
            "." | ".." => return Err(InvalidResource::DotSegment(text.to_owned())),
            _ => {}
        }
        // A prefix may be followed by everything: `repo:**`.
        let rest = match segment.strip_suffix(DEEP_PREFIX) {
            Some(prefix) if nth == 0 => prefix,
            _ if segment == DEEP => "",
            _ => segment,
        };
        if rest.contains(DEEP) {
            return Err(InvalidResource::DeepInSegment(text.to_owned()));
        }
    }
    Ok(())
}

/// The patterns that a text stands for. `repo:**` is every path whose first segment begins with
/// `repo:`; before more segments the `**` may also stand for none, and then these follow the prefix
/// without a slash.
fn patterns(text: &str) -> Vec<Pattern> {
    let (first, rest) = match text.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (text, None),
    };
    if !first.ends_with(DEEP_PREFIX) {
        return vec![Pattern::new(text)];
    }
    let prefix = &first[..first.len() - DEEP.len()];
    let rest = rest.map(skip_deep).unwrap_or_default();
    match rest {
        "" => vec![Pattern::new(&format!("{prefix}*/{DEEP}"))],
        rest => {
            let deep = format!("{prefix}*/{DEEP}/{rest}");
            vec![Pattern::new(&format!("{prefix}{rest}")), Pattern::new(&deep)]
        }
    }
}

/// What follows the `**` segments that a text begins with: one after another they mean the same as
/// one.
fn skip_deep(mut text: &str) -> &str {
    while let Some(rest) = text.strip_prefix(DEEP) {
        match rest.strip_prefix('/') {
            Some(rest) => text = rest,
            None if rest.is_empty() => return "",
            None => break,
        }
    }
    text
}

/// One pattern, segment by segment.
#[derive(Debug)]
pub(crate) struct Pattern {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Segment {
    /// Any number of segments.
    Deep,
    /// Itself.
    Literal(Box<str>),
    /// What stands before the first star, between two of them, and after the last.
    Wild { head: Box<str>, middles: Vec<Box<str>>, tail: Box<str> },
}

impl Pattern {
    fn new(text: &str) -> Self {
        Self { segments: text.split('/').map(Segment::new).collect() }
    }

    /// The literal segments that it begins with.
    pub(crate) fn literals(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().map_while(|segment| match segment {
            Segment::Literal(text) => Some(&**text),
            Segment::Deep | Segment::Wild { .. } => None,
        })
    }

    /// The segment after its literal ones, where it is more than a path.
    pub(crate) fn first_wild(&self) -> Option<&Segment> {
        self.segments.iter().find(|segment| !matches!(segment, Segment::Literal(_)))
    }
}

impl Segment {
    fn new(text: &str) -> Self {
        if text == DEEP {
            return Self::Deep;
        }
        let Some((head, rest)) = text.split_once('*') else { return Self::Literal(text.into()) };
        let mut middles: Vec<&str> = rest.split('*').collect();
        let tail = middles.pop().unwrap_or_default();
        middles.retain(|middle| !middle.is_empty());
        let middles = middles.into_iter().map(Box::from).collect();
        Self::Wild { head: head.into(), middles, tail: tail.into() }
    }

    /// Whether some segment matches both. One that stands for many matches any.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Deep, _) | (_, Self::Deep) => true,
            (Self::Literal(one), Self::Literal(two)) => one == two,
            (Self::Literal(text), wild) | (wild, Self::Literal(text)) => wild.matches(text),
            (
                Self::Wild { head: one, tail: end_of_one, .. },
                Self::Wild { head: two, tail: end_of_two, .. },
            ) => begins_alike(one, two) && ends_alike(end_of_one, end_of_two),
        }
    }

    /// Whether it matches one segment of a path.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let (head, middles, tail) = match self {
            Self::Deep => return true,
            Self::Literal(literal) => return **literal == *text,
            Self::Wild { head, middles, tail } => (head, middles, tail),
        };
        let rest = text.strip_prefix(&**head).and_then(|rest| rest.strip_suffix(&**tail));
        let Some(mut rest) = rest else { return false };
        for middle in middles {
            // The first place leaves the most for what follows.
            let Some((_, after)) = rest.split_once(&**middle) else { return false };
            rest = after;
        }
        true
    }
}

fn begins_alike(one: &str, two: &str) -> bool {
    one.starts_with(two) || two.starts_with(one)
}

fn ends_alike(one: &str, two: &str) -> bool {
    one.ends_with(two) || two.ends_with(one)
}

/// Whether some path matches both patterns.
fn overlap(one: &Pattern, two: &Pattern) -> bool {
    let (one, two) = (&one.segments[..], &two.segments[..]);
    match (gaps(one), gaps(two)) {
        (None, None) => one.len() == two.len() && one.iter().zip(two).all(|(a, b)| a.overlaps(b)),
        (Some(gaps), None) => fits(one, gaps, two),
        (None, Some(gaps)) => fits(two, gaps, one),
        (Some((first, last)), Some((first_of_two, last_of_two))) => {
            let (heads, tails) = (
                one[..first].iter().zip(&two[..first_of_two]),
                one[last + 1..].iter().rev().zip(two[last_of_two + 1..].iter().rev()),
            );
            heads.chain(tails).all(|(a, b)| a.overlaps(b))
        }
    }
}

/// Where the first and the last `**` stand.
fn gaps(segments: &[Segment]) -> Option<(usize, usize)> {
    let is_gap = |segment: &Segment| *segment == Segment::Deep;
    Some((segments.iter().position(is_gap)?, segments.iter().rposition(is_gap)?))
}

/// Whether a pattern with gaps fits one without.
fn fits(gapped: &[Segment], (first, last): (usize, usize), whole: &[Segment]) -> bool {
    let (head, tail) = (&gapped[..first], &gapped[last + 1..]);
    let Some(rest) = whole.len().checked_sub(head.len() + tail.len()) else { return false };
    let alike = |one: &[Segment], two: &[Segment]| one.iter().zip(two).all(|(a, b)| a.overlaps(b));
    if !alike(head, whole) || !alike(tail, &whole[whole.len() - tail.len()..]) {
        return false;
    }
    let mut rest = &whole[head.len()..head.len() + rest];
    for block in gapped[first..=last].split(|segment| *segment == Segment::Deep) {
        // The first place leaves the most for what follows.
        let place = match block {
            [] => Some(0),
            block => rest.windows(block.len()).position(|place| alike(block, place)),
        };
        let Some(place) = place else { return false };
        rest = &rest[place + block.len()..];
    }
    true
}

#[cfg(test)]
mod tests;
