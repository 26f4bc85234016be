//! Places within a block of the log, as a set of bits.

/// How many places a block of the log has.
pub(super) const BLOCK_SEQS: u64 = 1 << 16;

const WORDS: usize = BLOCK_SEQS as usize / 64;

/// Which places of a block hold something: one bit each. However common two words are, the places
/// that have both are found with a thousand operations.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Places(Vec<u64>);

/// How places are kept: as numbers where they are few.
const LIST: u8 = 0;
/// As bits, from the first to the last that is set.
const BITS: u8 = 1;

impl Places {
    /// These places.
    pub(super) fn of(list: &[u16]) -> Self {
        let mut bits = vec![0; WORDS];
        for place in list {
            bits[usize::from(place >> 6)] |= 1 << (place & 63);
        }
        Self(bits)
    }

    /// Reads what [`encode`] wrote. `None` where it did not write this.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, bytes) = bytes.split_first()?;
        let mut bits = vec![0; WORDS];
        match *kind {
            LIST if bytes.len().is_multiple_of(2) => {
                for place in bytes.chunks_exact(2) {
                    let place = u16::from_le_bytes([place[0], place[1]]);
                    bits[usize::from(place >> 6)] |= 1 << (place & 63);
                }
            }
            BITS if bytes.len() <= WORDS * 8 => {
                for (word, bytes) in bits.iter_mut().zip(bytes.chunks(8)) {
                    let mut whole = [0; 8];
                    whole[..bytes.len()].copy_from_slice(bytes);
                    *word = u64::from_le_bytes(whole);
                }
            }
            _ => return None,
        }
        Some(Self(bits))
    }

    /// Keeps what is in both.
    pub(super) fn and(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine &= theirs;
        }
    }

    /// Takes in what is in the other.
    pub(super) fn or(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine |= theirs;
        }
    }

    /// Lets go of everything from `end` on.
    pub(super) fn cut(&mut self, end: u64) {
        for (at, word) in (0_u64..).zip(&mut self.0) {
            match end.saturating_sub(at * 64) {
                0 => *word = 0,
                kept @ 1..=63 => *word &= (1 << kept) - 1,
                _ => {}
            }
        }
    }

    /// Whether there is no place.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// The places, the last first.
    pub(super) fn backwards(&self) -> Vec<u16> {
        let mut list = Vec::new();
        for (at, word) in self.0.iter().enumerate().rev() {
            let mut left = *word;
            while left != 0 {
                let highest = 63 - left.leading_zeros();
                left &= !(1 << highest);
                // A place is below 2^16.
                list.push((at * 64) as u16 + highest as u16);
            }
        }
        list
    }
}

/// Places as they are kept: in ascending order, whichever way is shorter.
pub(super) fn encode(list: &[u16]) -> Vec<u8> {
    let bits_len = list.last().map_or(0, |last| usize::from(*last) / 8 + 1);
    if list.len() * 2 <= bits_len {
        let mut bytes = Vec::with_capacity(1 + list.len() * 2);
        bytes.push(LIST);
        bytes.extend(list.iter().flat_map(|place| place.to_le_bytes()));
        return bytes;
    }
    let mut bytes = vec![0; 1 + bits_len];
    bytes[0] = BITS;
    for place in list {
        bytes[1 + usize::from(place >> 3)] |= 1 << (place & 7);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backwards(list: &[u16]) -> Vec<u16> {
        list.iter().rev().copied().collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let all: Vec<u16> = (0..=u16::MAX).collect();
        let many: Vec<u16> = all.iter().copied().filter(|place| place % 3 != 1).collect();
        let few: Vec<u16> = all.iter().copied().filter(|place| place % 999 == 7).collect();
        for list in [&[][..], &[0], &[u16::MAX], &[0, 63, 64, 65_535], &all, &many, &few] {
            let bytes = encode(list);
            assert!(bytes.len() <= 1 + 8_192.min(list.len() * 2));
            let places = Places::decode(&bytes).expect("readable");
            assert_eq!(places, Places::of(list));
            assert_eq!(places.backwards(), backwards(list));
            assert_eq!(places.is_empty(), list.is_empty());
        }
        for bad in [&[][..], &[2], &[LIST, 1], &[BITS; 8_194]] {
            assert_eq!(Places::decode(bad), None);
        }
    }

    #[test]
    fn sets_are_joined_and_cut() {
        let check = |end: u64, expected: &[u16]| {
            let mut places = Places::of(&[0, 1, 63, 64, 65_535]);
            places.cut(end);
            assert_eq!(places.backwards(), backwards(expected), "{end}");
        };
        check(0, &[]);
        check(1, &[0]);
        check(63, &[0, 1]);
        check(64, &[0, 1, 63]);
        check(65, &[0, 1, 63, 64]);
        check(65_535, &[0, 1, 63, 64]);
        check(65_536, &[0, 1, 63, 64, 65_535]);
        check(u64::MAX, &[0, 1, 63, 64, 65_535]);
        let mut places = Places::of(&[1, 2, 700]);
        places.and(&Places::of(&[2, 3, 700]));
        assert_eq!(places.backwards(), [700, 2]);
        places.or(&Places::of(&[9]));
        assert_eq!(places.backwards(), [700, 9, 2]);
    }
}
