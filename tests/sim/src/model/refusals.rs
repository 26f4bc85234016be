//! Why a command is refused: every reason that applies, of which the contract's order of statuses
//! leaves some.

/// The contract's order of refusals.
const ORDER: [u16; 4] = [404, 422, 403, 409];

/// Every reason that applies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refused(Vec<(u16, &'static str)>);

impl Refused {
    /// For one reason.
    pub fn one(status: u16, code: &'static str) -> Self {
        Self(vec![(status, code)])
    }

    /// Adds a reason, where it holds.
    pub fn add(&mut self, holds: bool, status: u16, code: &'static str) {
        if holds {
            self.0.push((status, code));
        }
    }

    /// Adds the reasons of another.
    pub fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// A refusal where there is a reason.
    pub fn check(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    /// The codes that may be answered: those of the status that comes first.
    pub fn codes(&self) -> Vec<&'static str> {
        let first = ORDER.iter().find(|status| self.0.iter().any(|(of, _)| of == *status));
        self.0.iter().filter(|(of, _)| Some(of) == first).map(|(_, code)| *code).collect()
    }
}
