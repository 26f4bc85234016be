//! Messages and queries that are the same in every run: words as they are spread in a language, and some whose
//! frequency is known.

use std::fmt::Write as _;

/// How many words the language has.
const WORDS: usize = 50_000;
/// How many of them a message has.
const WORDS_PER_MESSAGE: usize = 12;

/// A language: the word of rank `n` comes about as often as `1 / (n + 2.7)` says.
pub(crate) struct Vocabulary {
    /// Up to where of the whole each word reaches.
    cumulated: Vec<f64>,
}

impl Vocabulary {
    pub(crate) fn new() -> Self {
        let mut sum = 0.0;
        let cumulated = (0..WORDS).map(|rank| {
            sum += 1.0 / (rank as f64 + 2.7);
            sum
        });
        Self { cumulated: cumulated.collect() }
    }

    /// The message of this number: words of the language, and around them `every` (in 19 of 20), `even` or `odd`,
    /// `third0` to `third2`, and a word of its own.
    pub(crate) fn message(&self, number: u64) -> String {
        let whole = self.cumulated.last().copied().unwrap_or(1.0);
        let mut dice = number;
        let mut text = String::with_capacity(128);
        if !number.is_multiple_of(20) {
            text.push_str("every ");
        }
        text.push_str(if number.is_multiple_of(2) { "even " } else { "odd " });
        for _ in 0..WORDS_PER_MESSAGE {
            let thrown = (roll(&mut dice) >> 11) as f64 / (1_u64 << 53) as f64 * whole;
            let rank = self.cumulated.partition_point(|reach| *reach < thrown);
            text.push_str(&word(rank));
            text.push(' ');
        }
        // Writing into memory has no way to fail.
        let _written = write!(text, "third{} {}", number % 3, own(number));
        text
    }
}

/// The word of a rank: syllables, so that no two ranks share one.
fn word(rank: usize) -> String {
    const FIRST: [char; 16] =
        ['b', 'd', 'f', 'g', 'h', 'j', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'z'];
    const SECOND: [char; 4] = ['a', 'e', 'i', 'o'];
    let mut word = String::new();
    let mut left = rank;
    for _ in 0..3 {
        word.push(FIRST[left % 16]);
        word.push(SECOND[left / 16 % 4]);
        left /= 64;
    }
    word
}

/// The word that only the message of this number has.
fn own(number: u64) -> String {
    format!("n{number}x")
}

/// The next of a row of numbers that look thrown (SplitMix64).
fn roll(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// What is asked of a hub with so many messages: by name, 100 pairs of words of every frequency, those among them that
/// are never together, and phrases.
pub(crate) fn queries(messages: u64) -> [(&'static str, Vec<String>); 3] {
    // From in nearly every message to in one.
    let mut classes: Vec<Vec<String>> = vec![
        vec!["every".into()],
        ["even", "odd", "third0", "third1", "third2"].map(String::from).into(),
        (0..10).map(word).collect(),
        (100..110).map(word).collect(),
        (2_000..2_010).map(word).collect(),
        (WORDS - 10..WORDS).map(word).collect(),
    ];
    classes.push((1..=10).map(|tenth| own(messages * tenth / 11)).collect());
    let mut dice = 7;
    let mut pick = |class: &Vec<String>| class[roll(&mut dice) as usize % class.len()].clone();
    let never = [("even", "odd"), ("third0", "third1"), ("third0", "third2"), ("third1", "third2")];
    let never: Vec<String> = never.iter().map(|(one, other)| format!("{one} {other}")).collect();
    let mut pairs = never.clone();
    let mut round = 0;
    while pairs.len() < 100 {
        let (one, other) = (round / classes.len() % classes.len(), round % classes.len());
        round += 1;
        if one <= other {
            pairs.push(format!("{} {}", pick(&classes[one]), pick(&classes[other])));
        }
    }
    let mut phrases: Vec<String> =
        never.iter().map(|pair| format!("\"{pair}\"")).chain(["\"every even\"".into()]).collect();
    for one in 0..5 {
        phrases.push(format!("\"{} {}\"", word(one), word(one + 1)));
        phrases.push(format!("\"{} {} {}\"", word(one), word(one + 1), word(one + 2)));
        phrases.push(format!("\"{} {}\"", word(one), word(one * 1_000 + 50)));
    }
    [("pairs", pairs), ("never_together", never), ("phrases", phrases)]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn words_are_different() {
        let words: HashSet<String> = (0..WORDS).map(word).collect();
        assert_eq!(words.len(), WORDS);
    }

    #[test]
    fn messages_and_queries_are_the_same_every_time() {
        let vocabulary = Vocabulary::new();
        assert_eq!(vocabulary.message(7), Vocabulary::new().message(7));
        assert_eq!(vocabulary.message(8).split(' ').count(), WORDS_PER_MESSAGE + 4);
        let [(_, pairs), ..] = queries(1_000_000);
        assert_eq!((pairs.len(), &pairs), (100, &queries(1_000_000)[0].1));
    }
}
