//! Asking a hub that runs, as its admin.

use std::{fs, path::PathBuf};

use clap::Args;
use serde_json::Value;

use crate::client::{Client, ClientError};

/// How often a call is tried again: whoever waits at a terminal is not kept.
const RETRIES: u32 = 2;

/// Which hub, and by what right.
#[derive(Args, Debug)]
pub(super) struct Remote {
    /// The hub.
    #[arg(long, env = "COORDHUB_URL", value_name = "URL", default_value = "http://localhost:8550")]
    url: String,

    #[command(flatten)]
    pub(super) by: By,
}

/// By what right a hub is asked. A token is no argument: those are shown to everyone on the machine.
#[derive(Args, Debug)]
pub(super) struct By {
    /// A file with your token, such as the one that the hub wrote; COORDHUB_TOKEN where not given.
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,

    /// A file of certificates (PEM) to trust where the hub is asked by https; those that the machine trusts where not given.
    #[arg(long, env = "COORDHUB_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// The hub's answer as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

impl Remote {
    /// See [`By::call`].
    pub(super) fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, String> {
        self.by.call(&self.url, method, path, body)
    }
}

impl By {
    /// One call. The answer, or a sentence that says why there is none.
    pub(super) fn call(
        &self,
        url: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let builder = Client::builder(url).token(self.token()?).retries(RETRIES);
        let builder = match &self.ca_file {
            Some(path) => builder.ca_file(path),
            None => builder,
        };
        let body = body.map(Value::to_string).unwrap_or_default();
        let called =
            builder.build_blocking().and_then(|hub| hub.call(method, path, body.as_bytes()));
        let said = called.and_then(|answer| answer.json());
        said.map_err(|why| match &why {
            ClientError::Problem(problem) => printable(&problem.detail),
            ClientError::Unreachable { url, why, .. } => {
                printable(&format!("no hub could be reached at {url}: {why}"))
            }
            other => printable(&other.to_string()),
        })
    }

    fn token(&self) -> Result<String, String> {
        let token = match &self.token_file {
            Some(path) => {
                fs::read_to_string(path).map_err(|why| format!("{}: {why}", path.display()))?
            }
            None => std::env::var("COORDHUB_TOKEN").unwrap_or_default(),
        };
        let token = token.trim();
        if token.is_empty() {
            return Err("set COORDHUB_TOKEN to your token, or name a file with it by --token-file; the hub wrote its admin's beside its own file".to_owned());
        }
        Ok(token.to_owned())
    }
}

/// A text from elsewhere, fit for a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// One segment of a path.
pub(super) fn segment(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_made_fit_for_paths_and_terminals() {
        assert_eq!(segment("a/ä?"), "a%2F%C3%A4%3F");
        assert_eq!(printable("a\u{1b}[2J"), "a\u{fffd}[2J");
    }
}
