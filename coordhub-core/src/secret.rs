//! What the hub knows of a secret: its hash, and nothing that leads back to it.

use std::{cmp::Ordering, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use subtle::ConstantTimeEq;

/// How many bytes a SHA-256 hash has.
const BYTES: usize = 32;

/// The SHA-256 hash of a secret of at least 256 random bits. It is compared in constant time, and no
/// log shows it.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; BYTES]);

impl SecretHash {
    /// A hash that was made where the secret was.
    pub const fn new(bytes: [u8; BYTES]) -> Self {
        Self(bytes)
    }

    /// Its bytes, for the store.
    pub(crate) const fn as_bytes(&self) -> &[u8; BYTES] {
        &self.0
    }
}

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretHash {}

/// The order in which a map keeps hashes. What its look-ups tell by their time is about hashes, which
/// nobody can choose, and says nothing of a secret.
impl Ord for SecretHash {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for SecretHash {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// For the hub's own log on disk, as hexadecimal digits. What readers see of an event leaves it out.
impl Serialize for SecretHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        serializer.serialize_str(&digits)
    }
}

impl<'de> Deserialize<'de> for SecretHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let wrong = || de::Error::custom("a hash is 64 hexadecimal digits");
        if text.len() != 2 * BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut bytes = [0; BYTES];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_comes_back_from_the_log_and_shows_in_none() {
        let hash = SecretHash::new(std::array::from_fn(|at| at as u8 * 7));
        let text = serde_json::to_string(&hash).expect("serializes");
        assert_eq!(text.len(), 66);
        assert_eq!(serde_json::from_str::<SecretHash>(&text).expect("reads"), hash);
        assert_eq!(format!("{hash:?}"), "SecretHash(…)");
        for wrong in ["\"\"", "\"zz\"", &text.replace('0', "é"), "1"] {
            assert!(serde_json::from_str::<SecretHash>(wrong).is_err(), "{wrong}");
        }
    }
}
