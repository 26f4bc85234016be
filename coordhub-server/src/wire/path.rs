//! Reading ids out of paths.

use std::borrow::Cow;

/// Decodes percent escapes. `None` where they are broken or do not make UTF-8.
pub fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, tail @ ..] = rest else { return None };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        bytes.push((digit(*high)? * 16 + digit(*low)?) as u8);
        rest = tail;
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// The parameters of `path` where the route's pattern has `{name}`; both have as many segments.
pub fn parameters<'p>(
    pattern: &'static str,
    path: &'p str,
) -> impl Iterator<Item = (&'static str, &'p str)> {
    pattern.split('/').zip(path.split('/')).filter_map(|(word, segment)| {
        word.strip_prefix('{')?.strip_suffix('}').map(|name| (name, segment))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_once() {
        for (text, decoded) in [
            ("plain", Some("plain")),
            ("a%20b", Some("a b")),
            ("%F0%9F%8C%90", Some("🌐")),
            ("%2541", Some("%41")),
            ("a%", None),
            ("a%2", None),
            ("%zz", None),
            ("%ff", None),
        ] {
            assert_eq!(decode(text).as_deref(), decoded, "{text}");
        }
    }

    #[test]
    fn parameters_stand_where_the_pattern_says() {
        let found: Vec<_> = parameters("/tasks/{task_id}/claim", "/tasks/t%201/claim").collect();
        assert_eq!(found, [("task_id", "t%201")]);
    }
}
