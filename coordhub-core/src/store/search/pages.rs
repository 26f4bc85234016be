//! Terms and their places in pages: rows of the file that hold as many as fit, so that a block of a
//! hundred thousand terms is written as some thousand rows.

use super::places::{Places, encode};

/// How long a page may be. SQLite keeps a row of this length whole.
const PAGE_BYTES_MAX: usize = 900;

/// Terms in ascending order, put into pages.
pub(super) struct Pages<F> {
    first: String,
    page: Vec<u8>,
    /// Takes the first term of a page, and the page.
    write: F,
}

impl<E, F: FnMut(&str, &[u8]) -> Result<(), E>> Pages<F> {
    pub(super) fn new(write: F) -> Self {
        Self { first: String::new(), page: Vec::new(), write }
    }

    /// Adds a term. A term that is longer than a page has one of its own.
    pub(super) fn add(&mut self, term: &str, places: &[u16]) -> Result<(), E> {
        let places = encode(places);
        if self.page.len() + term.len() + places.len() > PAGE_BYTES_MAX {
            self.end_page()?;
        }
        if self.page.is_empty() {
            self.first.clear();
            self.first.push_str(term);
        }
        push(&mut self.page, term, &places);
        Ok(())
    }

    /// Writes what is not yet.
    pub(super) fn end_page(&mut self) -> Result<(), E> {
        if !self.page.is_empty() {
            (self.write)(&self.first, &self.page)?;
            self.page.clear();
        }
        Ok(())
    }
}

/// Adds a term to the end of a page.
pub(super) fn push(page: &mut Vec<u8>, term: &str, places: &[u8]) {
    for part in [term.as_bytes(), places] {
        let mut left = part.len();
        while left >= 0x80 {
            page.push(left as u8 | 0x80);
            left >>= 7;
        }
        page.push(left as u8);
        page.extend_from_slice(part);
    }
}

/// The next term of a page, and its places as they are kept. `None` where the page is none.
pub(super) fn take<'a>(page: &mut &'a [u8]) -> Option<(&'a str, &'a [u8])> {
    let term = std::str::from_utf8(take_part(page)?).ok()?;
    Some((term, take_part(page)?))
}

fn take_part<'a>(page: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        let (byte, rest) = page.split_first()?;
        *page = rest;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
        shift += 7;
        if shift > 21 {
            return None;
        }
    }
    let (part, rest) = page.split_at_checked(length)?;
    *page = rest;
    Some(part)
}

/// The places of one term in the page that it would be in. `Err` where the page is none.
pub(super) fn look_up(mut page: &[u8], wanted: &str) -> Result<Option<Places>, NoPage> {
    while !page.is_empty() {
        let (term, places) = take(&mut page).ok_or(NoPage)?;
        if term == wanted {
            return Places::decode(places).map(Some).ok_or(NoPage);
        }
    }
    Ok(None)
}

/// What was taken for a page is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a page of the index does not read")]
pub(super) struct NoPage;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_found_in_their_pages() {
        let everywhere: Vec<u16> = (0..=u16::MAX).collect();
        let terms: Vec<(String, &[u16])> = (0..3_000_u16)
            .map(|number| {
                let places = if number % 100 == 0 { &everywhere[..] } else { &everywhere[..3] };
                (format!("term{number:04}"), places)
            })
            .collect();
        let mut written: Vec<(String, Vec<u8>)> = Vec::new();
        let mut pages = Pages::new(|first: &str, page: &[u8]| {
            written.push((first.to_owned(), page.to_vec()));
            Ok::<_, NoPage>(())
        });
        for (term, places) in &terms {
            pages.add(term, places).expect("is taken");
        }
        pages.end_page().expect("is taken");
        assert!((50..150).contains(&written.len()), "{}", written.len());
        for (term, places) in &terms {
            let (_, page) =
                written.iter().rev().find(|(first, _)| first <= term).expect("there is a page");
            let found = look_up(page, term).expect("a page").expect("has the term");
            assert_eq!(found, Places::of(places));
        }
        assert_eq!(look_up(&written[0].1, "term"), Ok(None));
    }

    #[test]
    fn what_is_no_page_is_none() {
        let mut page = Vec::new();
        push(&mut page, "term", &encode(&[1]));
        for length in 1..page.len() {
            assert_eq!(look_up(&page[..length], "other"), Err(NoPage), "{length}");
        }
        assert_eq!(look_up(&[0xff; 20], "other"), Err(NoPage));
        assert_eq!(look_up(&[1, 0xff, 0], "other"), Err(NoPage));
        assert_eq!(look_up(&[1, b'a', 1, 9], "a"), Err(NoPage));
        assert_eq!(look_up(&[], "a"), Ok(None));
    }
}
