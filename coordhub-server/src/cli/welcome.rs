//! What a start says: where the hub listens, which file it has, in which mode, and what to open.

use std::{net::SocketAddr, path::Path};

use crate::{
    access::{gate::AuthMode, network::Network},
    net::Cidr,
};
use coordhub_core::Timestamp;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What there is to say.
#[derive(Debug)]
pub(super) struct Welcome<'a> {
    pub(super) addresses: &'a [SocketAddr],
    pub(super) db: &'a Path,
    pub(super) monitor: Option<SocketAddr>,
    pub(super) log_file: Option<&'a Path>,
    pub(super) auth: AuthMode,
    pub(super) network: &'a Network,
    pub(super) admin_token: Option<&'a Path>,
}

impl Welcome<'_> {
    /// As lines for people. The first is for programs, too: they wait for it.
    pub(super) fn to_text(&self) -> String {
        let mut text = format!("{}\n", self.first());
        let mut line = |what: &str, it: &str| text += &format!("  {what:<9}{it}\n");
        line("coordhub", VERSION);
        for address in self.addresses.iter().skip(1) {
            line("also on", &self.url(address));
        }
        line("mode", self.mode());
        if !self.network.trusted.is_empty() {
            line("serves", &format!("{} and nobody else", listed(&self.network.trusted)));
        }
        if !self.network.proxies.is_empty() {
            line("proxies", &format!("{}: believed", listed(&self.network.proxies)));
        }
        if let Some(path) = self.admin_token {
            line("admin", &format!("token made, in {}", path.display()));
        }
        line("file", &self.db.display().to_string());
        line("open", &self.page());
        line("API", &format!("{}/docs", self.page()));
        if let Some(monitor) = self.monitor {
            line("monitor", &format!("http://{monitor}/health and /metrics"));
        }
        if let Some(log) = self.log_file {
            line("log", &log.display().to_string());
        }
        line("stop", "Ctrl-C");
        text
    }

    /// As one object, in the form of the log's lines.
    pub(super) fn to_json(&self, at: Timestamp) -> String {
        let addresses: Vec<String> = self.addresses.iter().map(|at| self.url(at)).collect();
        let texts = |cidrs: &[Cidr]| cidrs.iter().map(Cidr::to_string).collect::<Vec<_>>();
        let line = serde_json::json!({
            "timestamp": at,
            "level": "INFO",
            "message": self.first(),
            "version": VERSION,
            "addresses": addresses,
            "mode": self.auth.as_str(),
            "trusted_networks": texts(&self.network.trusted),
            "proxies": texts(&self.network.proxies),
            "admin_token": self.admin_token.map(|path| path.display().to_string()),
            "file": self.db.display().to_string(),
            "open": self.page(),
            "monitor": self.monitor.map(|address| format!("http://{address}")),
        });
        format!("{line}\n")
    }

    fn url(&self, address: &SocketAddr) -> String {
        format!("{}://{address}", self.scheme())
    }

    fn scheme(&self) -> &'static str {
        if self.network.tls.is_some() { "https" } else { "http" }
    }

    fn mode(&self) -> &'static str {
        match self.auth {
            AuthMode::Open if !self.network.trusted.is_empty() => {
                "open: whoever is in the trusted networks names itself"
            }
            AuthMode::Open => "open: on this machine only, and callers name themselves",
            AuthMode::Token => "token: callers show a token",
        }
    }

    fn first(&self) -> String {
        let listening = |it| format!("listening on {}", self.url(it));
        self.addresses.first().map_or_else(String::new, listening)
    }

    fn page(&self) -> String {
        match self.addresses.first() {
            Some(address) => format!("{}://localhost:{}", self.scheme(), address.port()),
            None => String::new(),
        }
    }
}

fn listed(cidrs: &[Cidr]) -> String {
    cidrs.iter().map(Cidr::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_one_screen() {
        let addresses = ["127.0.0.1:8550", "[::1]:8550"].map(|at| at.parse().expect("an address"));
        let welcome = Welcome {
            addresses: &addresses,
            db: Path::new("/var/lib/coordhub/hub.db"),
            monitor: Some("127.0.0.1:8551".parse().expect("an address")),
            log_file: Some(Path::new("/var/log/coordhub.log")),
            auth: AuthMode::Open,
            network: &Network::default(),
            admin_token: None,
        };
        let text = welcome.to_text();
        assert!(text.starts_with("listening on http://127.0.0.1:8550\n"), "{text}");
        assert_eq!(text.matches("listening on").count(), 1, "{text}");
        for said in
            ["[::1]:8550", "hub.db", "open:", "localhost:8550/docs", ":8551/health", "coordhub.log"]
        {
            assert!(text.contains(said), "{said}: {text}");
        }
        assert!(text.lines().count() <= 12 && text.lines().all(|line| line.len() < 80), "{text}");
        let json = welcome.to_json(Timestamp::from_millis(0));
        assert_eq!(json.lines().count(), 1);
        assert!(json.contains("\"message\":\"listening on http://127.0.0.1:8550\""), "{json}");
    }
}
