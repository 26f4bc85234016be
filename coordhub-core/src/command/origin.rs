//! Where commands come from.

use core::net::IpAddr;

/// Where a command came from, as far as the edge could tell: for the audit, and for nothing else.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    /// From which address.
    pub address: Option<IpAddr>,
    /// In which request.
    pub request_id: Box<str>,
}
