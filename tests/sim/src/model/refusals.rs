//! Why a command is refused: every reason that applies, of which the contract's order of statuses
//! leaves some.

/// The contract's order of refusals.
const ORDER: [u16; 4] = [404, 422, 403, 409];

/// Every reason that applies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refused {
    reasons: Vec<(u16, &'static str)>,
    /// Whether any of them may be answered, whatever comes first.
    any: bool,
}

impl Refused {
    /// For one reason.
    pub fn one(status: u16, code: &'static str) -> Self {
        Self { reasons: vec![(status, code)], any: false }
    }

    /// For one of several reasons.
    pub fn either(reasons: &[(u16, &'static str)]) -> Self {
        Self { reasons: reasons.to_vec(), any: true }
    }

    /// Adds a reason, where it holds.
    pub fn add(&mut self, holds: bool, status: u16, code: &'static str) {
        if holds {
            self.reasons.push((status, code));
        }
    }

    /// Adds the reasons of another.
    pub fn join(&mut self, other: Self) {
        self.reasons.extend(other.reasons);
    }

    /// A refusal where there is a reason.
    pub fn check(self) -> Result<(), Self> {
        if self.reasons.is_empty() { Ok(()) } else { Err(self) }
    }

    /// The codes that may be answered: those of the status that comes first.
    pub fn codes(&self) -> Vec<&'static str> {
        let reasons = self.reasons.iter();
        let first = ORDER.iter().find(|status| reasons.clone().any(|(of, _)| of == *status));
        let told = reasons.filter(|(of, _)| self.any || Some(of) == first);
        told.map(|(_, code)| *code).collect()
    }
}
