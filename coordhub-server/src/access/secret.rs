//! Secrets: made here, shown once, and known by their hash from then on.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use coordhub_core::secret::SecretHash;
use sha2::{Digest, Sha256};

/// How many random bytes a secret has.
const RANDOM_BYTES: usize = 32;

/// What a secret is for: its text says so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Acting as an entity.
    Token,
    /// Registering.
    Invite,
    /// Standing for a token, in a cookie of the hub's page.
    Session,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Token => "cht_",
            Self::Invite => "chi_",
            Self::Session => "chs_",
        }
    }
}

/// The text of a secret. Nothing but [`expose`](Self::expose) shows it.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(String);

impl Secret {
    /// A new one of 256 random bits, from the operating system.
    pub fn new(kind: Kind) -> Result<Self, getrandom::Error> {
        let mut bytes = [0; RANDOM_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// Reads one that was kept, as the file of the admin's token keeps it.
    pub fn parse(kind: Kind, text: &str) -> Option<Self> {
        let random = URL_SAFE_NO_PAD.decode(text.strip_prefix(kind.prefix())?).ok()?;
        (random.len() == RANDOM_BYTES).then(|| Self(text.to_owned()))
    }

    /// The text, for the one answer that may have it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What the hub keeps.
    pub fn hash(&self) -> SecretHash {
        hash_of(self.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Whether there is a secret in a text, or something that looks like one.
pub fn is_in(text: &str) -> bool {
    [Kind::Token, Kind::Invite, Kind::Session].iter().any(|kind| text.contains(kind.prefix()))
}

/// What somebody shows, as far as its text tells: what for, and the hash to look up. What has no prefix
/// of ours is no secret of ours.
pub fn shown(text: &[u8]) -> Option<(Kind, SecretHash)> {
    let kind = [Kind::Token, Kind::Invite]
        .into_iter()
        .find(|k| text.starts_with(k.prefix().as_bytes()))?;
    Some((kind, hash_of(text)))
}

fn hash_of(text: &[u8]) -> SecretHash {
    SecretHash::new(Sha256::digest(text).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_random_and_shows_nowhere_by_accident() {
        let one = Secret::new(Kind::Token).expect("the system has randomness");
        let other = Secret::new(Kind::Token).expect("the system has randomness");
        assert_ne!(one.expose(), other.expose());
        assert!(one.hash() != other.hash());
        // 256 bits are 43 characters.
        assert_eq!(one.expose().len(), "cht_".len() + 43);
        assert_eq!(format!("{one:?}"), "Secret(…)");
        assert_eq!(Secret::parse(Kind::Token, one.expose()), Some(one.clone()));
        assert_eq!(Secret::parse(Kind::Invite, one.expose()), None);
        assert_eq!(Secret::parse(Kind::Token, "cht_short"), None);
        let (kind, hash) = shown(one.expose().as_bytes()).expect("one of ours");
        assert_eq!((kind, hash), (Kind::Token, one.hash()));
        assert_eq!(shown(b"Basic"), None);
    }

    #[test]
    fn the_hash_is_sha_256_of_the_text() {
        let abc = [
            0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae,
            0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61,
            0xf2, 0x00, 0x15, 0xad,
        ];
        assert_eq!(hash_of(b"abc"), SecretHash::new(abc));
    }
}
