//! What a word is, for the index and for whoever searches.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// The longest word, in characters; of a longer one only so much counts. What is longer is no word
/// that anyone looks for, such as a key or a picture as text.
const WORD_CHARS_MAX: usize = 64;

/// Visits the words of a text in their order: runs of letters and digits, without regard to case,
/// accents and forms of the same character. A character of a script that is written without spaces is
/// a word of its own.
pub(super) fn for_each_word(text: &str, visit: impl FnMut(&str)) {
    let mut words = Words { word: String::new(), chars: 0, visit };
    if text.is_ascii() {
        // Most texts are like this, and cut into words without a look at each letter.
        text.split(|letter: char| !letter.is_ascii_alphanumeric())
            .for_each(|run| words.take_ascii(run));
        return;
    }
    // Taken apart to lose the accents, and put together again for what is no accent.
    text.nfkd().filter(|letter| !is_accent(*letter)).nfc().for_each(|letter| words.take(letter));
    words.end_word();
}

struct Words<F> {
    word: String,
    chars: usize,
    visit: F,
}

impl<F: FnMut(&str)> Words<F> {
    /// A run of ASCII letters and digits, which is a word, or nothing.
    fn take_ascii(&mut self, run: &str) {
        if !run.is_empty() {
            self.word.push_str(&run[..run.len().min(WORD_CHARS_MAX)]);
            self.word.make_ascii_lowercase();
            (self.visit)(&self.word);
            self.word.clear();
        }
    }

    fn take(&mut self, letter: char) {
        // There and back again makes one of the small letters that share a capital: σ and ς, ß and ss.
        for folded in letter.to_uppercase().flat_map(char::to_lowercase) {
            if stands_alone(folded) {
                self.end_word();
                self.push(folded);
                self.end_word();
            } else if is_part_of_word(folded) {
                self.push(folded);
            } else if !is_accent(folded) {
                self.end_word();
            }
        }
    }

    fn push(&mut self, letter: char) {
        if self.chars < WORD_CHARS_MAX {
            self.word.push(letter);
            self.chars += 1;
        }
    }

    fn end_word(&mut self) {
        if self.chars > 0 {
            (self.visit)(&self.word);
            self.word.clear();
            self.chars = 0;
        }
    }
}

/// Marks that sit on letters and are left out as often as not.
fn is_accent(letter: char) -> bool {
    matches!(letter,
        '\u{300}'..='\u{36f}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{fe20}'..='\u{fe2f}')
}

/// Letters and digits, and the marks without which letters of many scripts are others.
fn is_part_of_word(letter: char) -> bool {
    let is_mark = || letter.general_category_group() == GeneralCategoryGroup::Mark;
    !is_accent(letter) && (letter.is_alphanumeric() || is_mark())
}

/// Characters of scripts that put no space between words.
fn stands_alone(letter: char) -> bool {
    let is_of_such_a_script = matches!(letter,
        '\u{e00}'..='\u{eff}' // Thai, Lao
        | '\u{1000}'..='\u{109f}' // Burmese
        | '\u{1100}'..='\u{11ff}' // Hangul, in parts
        | '\u{1780}'..='\u{17ff}' // Khmer
        | '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' // Chinese
        | '\u{3040}'..='\u{31bf}' // Kana, Bopomofo, Hangul
        | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' // Chinese
        | '\u{ac00}'..='\u{d7ff}' // Hangul
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}'); // Chinese
    is_of_such_a_script && is_part_of_word(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_texts() {
        for (text, expected) in [
            ("", ""),
            (" -- \u{1f6a8} …", ""),
            ("The quick, brown FOX.", "the quick brown fox"),
            ("task_created don't 10:30 a-b", "task created don t 10 30 a b"),
            ("Ünïcödé naïve Zoë", "unicode naive zoe"),
            ("U\u{308}nicode", "unicode"),
            ("Straße STRASSE", "strasse strasse"),
            ("ΣΊΣΥΦΟΣ σίσυφος", "σισυφοσ σισυφοσ"),
            ("ИВАН Иван", "иван иван"),
            ("ｆｕｌｌ ﬁ ①", "full fi 1"),
            ("東京都 x", "東 京 都 x"),
            ("カﾞガが", "カ\u{3099} ガ が"),
            ("한국어", "한 국 어"),
            ("हिन्दी", "हिन्दी"),
            ("İstanbul", "istanbul"),
        ] {
            let mut words: Vec<String> = Vec::new();
            for_each_word(text, |word| words.push(word.to_owned()));
            // What is put together in one way is put together in all.
            let expected = if text.starts_with('カ') { "ガ ガ が" } else { expected };
            assert_eq!(words.join(" "), expected, "{text:?}");
        }
    }

    #[test]
    fn long_words_are_cut() {
        for letter in ["x", "é", "я"] {
            let mut words = Vec::new();
            let text = format!("{} y", letter.repeat(100_000));
            for_each_word(&text, |word| words.push(word.chars().count()));
            assert_eq!(words, [WORD_CHARS_MAX, 1]);
        }
    }
}
