//! The hub under load: where it is, and what can be known of its process.

use std::{fs, io, path::Path};

use super::http::invalid;

const PAGE_BYTES: u64 = 4_096;

/// A hub, or what stands in for one.
#[derive(Clone, Debug)]
pub struct Target {
    authority: String,
    pid: Option<u32>,
}

impl Target {
    /// A hub somebody else runs, by its `http://` address.
    pub fn at(url: &str) -> io::Result<Self> {
        let rest = url
            .strip_prefix("http://")
            .ok_or_else(|| invalid("the address must begin with http://"))?;
        let authority = rest.split('/').next().unwrap_or(rest);
        if authority.is_empty() {
            return Err(invalid("the address names no host"));
        }
        let authority =
            if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
        Ok(Self { authority, pid: None })
    }

    /// A child of this process.
    pub(super) fn own(authority: &str, pid: u32) -> Self {
        Self { authority: authority.to_owned(), pid: Some(pid) }
    }

    /// `host:port`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Resident memory. `None` for a hub that is not a child, and where the system has no `/proc`.
    pub fn resident_bytes(&self) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/statm", self.pid?)).ok()?;
        Some(text.split_whitespace().nth(1)?.parse::<u64>().ok()? * PAGE_BYTES)
    }
}

/// The kind of file system that a folder is on, where the system tells. On `tmpfs` a sync costs nothing.
pub fn file_system(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mounted = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let above = mounted.filter(|(at, _)| folder.starts_with(at));
    // Of several on one folder the last is on top, which is the one that `max_by_key` gives.
    above.max_by_key(|(at, _)| at.len()).map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_host_and_port() {
        let authority = |url| Target::at(url).map(|target| target.authority).ok();
        assert_eq!(authority("http://localhost:8550/").as_deref(), Some("localhost:8550"));
        assert_eq!(authority("http://hub.example").as_deref(), Some("hub.example:80"));
        assert_eq!((authority("https://localhost"), authority("http://")), (None, None));
    }
}
