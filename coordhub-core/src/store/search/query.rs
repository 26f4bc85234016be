//! What is searched for: words and phrases, read from a text in which nothing else has a meaning.

use std::cmp::Reverse;

use super::words::for_each_word;
use crate::{hub::Rejection, limits::SEARCH_WORDS_MAX};

/// What a search asks for: one or more words and phrases, all of which a message must have.
///
/// ```
/// use coordhub_core::engine::SearchWords;
/// let words = SearchWords::parse("deploy \"API endpoints\"")?;
/// assert!(words.match_content("The api endpoints: Deploy!"));
/// assert!(!words.match_content("Deploy the endpoints of the API"));
/// # Ok::<(), coordhub_core::hub::Rejection>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SearchWords {
    /// Words that must follow each other; a single word stands alone.
    phrases: Vec<Vec<String>>,
}

impl SearchWords {
    /// Reads words and "phrases in quotes". What has no space in it and yet is several words, such as
    /// `task_created`, is a phrase as well.
    pub fn parse(text: &str) -> Result<Self, Rejection> {
        let parts: Vec<&str> = text.split('"').collect();
        if parts.len().is_multiple_of(2) {
            let detail = "q has a quotation mark that is not closed; a phrase stands between two";
            return Err(Rejection::invalid("q", detail));
        }
        let mut phrases: Vec<Vec<String>> = Vec::new();
        for (at, part) in parts.into_iter().enumerate() {
            let is_quoted = at % 2 == 1;
            if is_quoted {
                phrases.push(words_of(part));
            } else {
                phrases.extend(part.split_whitespace().map(words_of));
            }
        }
        phrases.retain(|phrase| !phrase.is_empty());
        let count: usize = phrases.iter().map(Vec::len).sum();
        if count == 0 {
            let detail = "q holds no word to search for; give words, or a \"phrase\" in quotes";
            return Err(Rejection::invalid("q", detail));
        }
        if count > SEARCH_WORDS_MAX {
            let detail = format!("q has {count} words; at most {SEARCH_WORDS_MAX} are taken");
            return Err(Rejection::invalid("q", detail));
        }
        Ok(Self { phrases })
    }

    /// Whether a message that says this has all that is asked for.
    pub fn match_content(&self, content: &str) -> bool {
        // Each word of the content as the place among all that are asked for that it first has.
        let asked: Vec<&String> = self.phrases.iter().flatten().collect();
        let place = |word: &str| asked.iter().position(|asked| *asked == word);
        let mut said = Vec::new();
        for_each_word(content, |word| said.push(place(word)));
        self.phrases.iter().all(|phrase| {
            let wanted: Vec<_> = phrase.iter().map(|word| place(word)).collect();
            said.windows(wanted.len()).any(|window| window == wanted)
        })
    }

    /// The terms under which the index has every message that matches, and few others. Those that are
    /// probably rare come first.
    pub(super) fn terms(&self) -> Vec<Term> {
        let mut words: Vec<&String> = self.phrases.iter().flatten().collect();
        words.sort_by_key(|word| (Reverse(word.len()), *word));
        words.dedup();
        let pairs = self.phrases.iter().flat_map(|phrase| phrase.windows(2));
        let drawers = pairs.map(|pair| Term::Drawer(drawer(&pair[0], &pair[1])));
        drawers.chain(words.into_iter().map(|word| Term::Word(word.clone()))).collect()
    }
}

fn words_of(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for_each_word(text, |word| words.push(word.to_owned()));
    words
}

/// What messages are looked for under.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Term {
    /// A word that they have.
    Word(String),
    /// The drawer of two words that follow each other.
    Drawer(u16),
}

/// What takes in the terms of a content.
pub(super) trait TakeTerms {
    /// A word that it has.
    fn word(&mut self, word: &str);
    /// The drawer of two words that follow each other.
    fn drawer(&mut self, drawer: u16);
}

/// Gives out the terms that a content is found under. They may come more than once.
pub(super) fn give_terms(content: &str, to: &mut impl TakeTerms) {
    let mut previous = String::new();
    for_each_word(content, |word| {
        to.word(word);
        if !previous.is_empty() {
            to.drawer(drawer(&previous, word));
        }
        previous.clear();
        previous.push_str(word);
    });
}

/// How many drawers there are for pairs of words. With as many the pairs take about as much room as
/// the words; a drawer has the messages of the pairs that are looked for in it, and few others.
const DRAWERS: u32 = 1 << 15;

/// The drawer of a pair, by FNV-1a: it must be the same in every version of this program, since the
/// index keeps it.
fn drawer(one: &str, other: &str) -> u16 {
    let bytes = one.bytes().chain([0]).chain(other.bytes());
    let hash =
        bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
    ((hash ^ (hash >> 15)) % DRAWERS) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(q: &str, expected: &str) {
        let parsed = SearchWords::parse(q).map(|words| {
            words.phrases.iter().map(|phrase| phrase.join("+")).collect::<Vec<_>>().join(" ")
        });
        assert_eq!(parsed.as_deref(), Ok(expected), "{q}");
    }

    #[test]
    fn words_and_phrases_are_read() {
        check("Deploy API", "deploy api");
        check("\"Deploy API\" now", "deploy+api now");
        check("a\"b c\"d", "a b+c d");
        check("task_created don't", "task+created don+t");
        check("東京 x", "東+京 x");
        check("\"\" a - b", "a b");
        // What other searches take for operators are words or nothing here.
        check("a AND b OR NOT c", "a and b or not c");
        check("NEAR(a b, 5) a* ^b {c}: d -e +f (g)", "near+a b 5 a b c d e f g");
    }

    #[test]
    fn what_asks_for_nothing_is_refused() {
        let many = "w ".repeat(SEARCH_WORDS_MAX + 1);
        for q in ["", "  ", "\"", "a \"b", "\"a\" \"", "\"\"", "- … ()", &many] {
            let refused = SearchWords::parse(q).expect_err(q);
            assert_eq!(refused.field(), Some("q"), "{q}");
        }
        assert!(SearchWords::parse(&"w ".repeat(SEARCH_WORDS_MAX)).is_ok());
    }

    #[test]
    fn contents_match() {
        for (q, content, expected) in [
            ("deploy", "We DEPLOY today", true),
            ("deploy", "We deployed today", false),
            ("today we", "We deploy today", true),
            ("\"today we\"", "We deploy today", false),
            ("\"we deploy\"", "And so we, deploy", true),
            ("\"a b\" \"b c\"", "a b c", true),
            ("\"a a\"", "a b a", false),
            ("\"a b a\"", "a b a b", true),
            ("京", "東京都", true),
            ("東京", "東京都", true),
            ("東都", "東京都", false),
            ("naive", "naïve", true),
            ("naïve", "NAIVE", true),
            ("a", "", false),
        ] {
            let words = SearchWords::parse(q).expect(q);
            assert_eq!(words.match_content(content), expected, "{q} in {content}");
        }
    }

    #[test]
    fn drawers_stay_where_they_are() {
        assert_eq!(drawer("hello", "brave"), 0x0ff1);
        assert_ne!(drawer("brave", "hello"), 0x0ff1);
    }

    impl TakeTerms for Vec<Term> {
        fn word(&mut self, word: &str) {
            self.push(Term::Word(word.to_owned()));
        }

        fn drawer(&mut self, drawer: u16) {
            self.push(Term::Drawer(drawer));
        }
    }

    #[test]
    fn what_matches_has_every_term() {
        for (q, content) in [
            ("\"quick brown\" fox", "The quick brown fox"),
            ("東京都", "明日は東京都に"),
            ("task_created", "[task_created] x"),
        ] {
            let mut terms = Vec::new();
            give_terms(content, &mut terms);
            let words = SearchWords::parse(q).expect(q);
            assert!(words.terms().iter().all(|term| terms.contains(term)), "{q} in {content}");
        }
    }
}
