//! From a configuration to a running service, and to its end.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use coordhub_core::{
    Hub,
    command::Role,
    event::Event,
    store::StoreError,
    subscribe::{Channels, Filter, Item, Next, Show, Start},
};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    access::{first_admin::FirstAdminError, gate::AuthMode, network::ExposedError},
    app::App,
    bridge,
    config::Config,
    http::layers::Face,
    monitor::{Door, Monitor, MonitorError},
    net::{BindError, Drain, Drained, Entrance, Listeners, Tls, TlsError},
    sockets::{Closing, Whose},
};

/// The service could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Its file could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its address could not be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The monitor could not start.
    #[error(transparent)]
    Monitor(#[from] MonitorError),
    /// It would listen where others can reach it, and must not.
    #[error(transparent)]
    Exposed(#[from] ExposedError),
    /// Its certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nobody could run the hub.
    #[error(transparent)]
    Admin(#[from] FirstAdminError),
}

/// A hub's whole face, to mount in an axum program. The hub's sockets close when `drain` begins. In
/// token mode whoever mounts it sees to an admin, as [`ensure`](crate::access::first_admin::ensure) does.
pub fn router(hub: Hub, config: Config, drain: Drain) -> axum::Router {
    let app = App::new(hub, config, drain);
    tokio::spawn(watch(app.clone(), AtTheEnd::Close));
    axum::Router::new().fallback_service(Face::new(app))
}

/// A service that listens and has not yet ended.
#[derive(Debug)]
pub struct Running {
    app: App,
    listeners: Listeners,
    entrance: Entrance,
    monitor: Option<Monitor>,
    drain: Drain,
    /// Where the admin's token was written, where this start made one.
    admin_token: Option<PathBuf>,
    at_the_end: AtTheEnd,
}

/// Opens the hub's file and its addresses.
pub async fn start(config: Config, drain: Drain) -> Result<Running, ServeError> {
    // Before the file: an address in use should not cost a look at a large file.
    let bound = Bound::new(&config).await?;
    let (limits, db) = (config.limits.clone(), config.db.clone());
    let builder = Hub::builder().limits(limits).retention(config.retention.clone());
    let hub = bridge::open(builder, db).await?;
    bound.with(hub, config, drain, AtTheEnd::Close).await
}

/// Opens addresses for a hub that is open already, and goes on being open when the service ends. What the
/// configuration says of limits and of how long the past is kept is the hub's own affair.
pub async fn start_on(hub: Hub, config: Config, drain: Drain) -> Result<Running, ServeError> {
    let bound = Bound::new(&config).await?;
    bound.with(hub, config, drain, AtTheEnd::LeaveOpen).await
}

/// What becomes of the hub when the service ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum AtTheEnd {
    Close,
    LeaveOpen,
}

/// The addresses of a service that has no hub yet.
struct Bound {
    entrance: Entrance,
    listeners: Listeners,
    door: Option<Door>,
}

impl Bound {
    async fn new(config: &Config) -> Result<Self, ServeError> {
        config.network.check(&config.bind, config.auth)?;
        let entrance = entrance(config).await?;
        let listeners = Listeners::bind(&config.bind).await?;
        let door = config.monitor.map(Door::bind).transpose()?;
        Ok(Self { entrance, listeners, door })
    }

    async fn with(
        self,
        hub: Hub,
        config: Config,
        drain: Drain,
        at_the_end: AtTheEnd,
    ) -> Result<Running, ServeError> {
        let Self { entrance, listeners, door } = self;
        let admin_token = match config.auth {
            AuthMode::Open => None,
            AuthMode::Token => bridge::first_admin(&hub, &config.db).await?,
        };
        let connections = listeners.connections().clone();
        let app = App::with_connections(hub, config, drain.clone(), connections);
        let monitor = door.map(|door| Monitor::start(door, &app)).transpose()?;
        Ok(Running { app, listeners, entrance, monitor, drain, admin_token, at_the_end })
    }
}

async fn entrance(config: &Config) -> Result<Entrance, ServeError> {
    let network = &config.network;
    let tls = match network.tls.clone() {
        Some(files) => Some(bridge::on_a_thread(move || Tls::load(&files)).await?),
        None => None,
    };
    Ok(Entrance {
        accepts: network.accepts(),
        tls,
        per_address_max: config.fair.connections_per_address.map(|most| most as usize),
        proxies: network.proxies.clone().into(),
    })
}

impl Running {
    /// Where it listens.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        self.listeners.local_addresses()
    }

    /// Where the monitor listens, if it does.
    pub fn monitor_address(&self) -> Option<SocketAddr> {
        self.monitor.as_ref().map(Monitor::address)
    }

    /// Where the admin's token was written, if it was now.
    pub fn admin_token(&self) -> Option<&Path> {
        self.admin_token.as_deref()
    }

    /// The server's state.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Serves until the drain has ended; then closes the hub that it opened, which saves presence.
    pub async fn run(self) -> Drained {
        let Self { app, listeners, entrance, monitor, drain, admin_token: _, at_the_end } = self;
        let watching = tokio::spawn(watch(app.clone(), at_the_end));
        let beating = tokio::spawn(beat(app.clone()));
        let renewing = entrance.tls.clone().map(|tls| {
            // Caught before the first connection is taken.
            let hangups = signal(SignalKind::hangup());
            tokio::spawn(renew(tls, hangups.ok()))
        });
        let limits = app.config().connections;
        let face = Face::new(app.clone());
        let drained = crate::net::serve(listeners, face, limits, entrance, drain).await;
        watching.abort();
        beating.abort();
        renewing.inspect(|renewing| renewing.abort());
        if at_the_end == AtTheEnd::Close {
            bridge::close(app.hub().clone()).await;
        }
        // To the last it can be seen what the hub is doing.
        drop(monitor);
        drained
    }
}

/// Shows the monitor that the async runtime works.
async fn beat(app: App) {
    let mut every_second = tokio::time::interval(Duration::from_secs(1));
    loop {
        every_second.tick().await;
        app.metrics().beat();
    }
}

/// How often it is looked whether the certificate was renewed.
const RENEWAL_LOOKS: Duration = Duration::from_secs(60);

/// Uses a certificate that was renewed, a minute after it was at the latest, and at once at a SIGHUP.
async fn renew(tls: Tls, mut hangups: Option<Signal>) {
    loop {
        let asked = async {
            match &mut hangups {
                Some(hangups) => hangups.recv().await,
                None => std::future::pending().await,
            }
        };
        let is_asked = tokio::time::timeout(RENEWAL_LOOKS, asked).await.is_ok();
        let tls = tls.clone();
        let renewed = bridge::on_a_thread(move || {
            let is_due = is_asked || tls.has_changed();
            is_due.then(|| tls.reload())
        });
        match renewed.await {
            None => {}
            Some(Ok(())) => tracing::info!("the certificate was read anew"),
            Some(Err(why)) => {
                tracing::error!(%why, "the certificate cannot be read anew; the old one goes on");
            }
        }
    }
}

/// Closes sockets when their entity is removed or their token revoked, and all of them when the hub stops.
async fn watch(app: App, at_the_end: AtTheEnd) {
    let drain = app.drain().clone();
    tokio::select! {
        () = close_sockets_of_gone(&app) => {}
        () = drain.wait() => {}
    }
    // Whoever waits for a task is told at once that there is none. Those who wait in this process may go on.
    if at_the_end == AtTheEnd::Close {
        app.hub().end_waits();
    }
    app.sockets().close_all(Closing::Stopping);
}

/// Closes the sockets of entities as they are removed, and of tokens as they are revoked, whoever did
/// it. Ends with the hub.
async fn close_sockets_of_gone(app: &App) {
    let kinds = ["entity_removed", "token_revoked", "token_rotated"];
    let removals = Filter {
        reader: None,
        // What becomes of tokens is shown to admins alone.
        role: Role::Admin,
        channels: Channels::Named(Default::default()),
        show: Show::Log { kinds: Some(kinds.map(str::to_owned).into()) },
    };
    let mut subscription = app.hub().subscribe(removals.clone(), Start::Live);
    loop {
        match subscription.next().await {
            Next::Item(Item::Shown(entry, _)) => {
                let (whose, why) = match entry.event() {
                    Some(Event::EntityRemoved(event)) => {
                        (Whose::Entity(event.entity_id.clone()), Closing::EntityRemoved)
                    }
                    Some(Event::TokenRevoked(event)) => {
                        (Whose::Token(event.token_id.clone()), Closing::TokenRevoked)
                    }
                    Some(Event::TokenRotated(event)) => {
                        (Whose::Token(event.token_id.clone()), Closing::TokenRevoked)
                    }
                    _ => continue,
                };
                app.sockets().close(&whose, why);
            }
            Next::Item(_) => {}
            Next::Behind => {
                let position = subscription.position();
                subscription = match bridge::catch_up(subscription).await {
                    Ok(caught_up) => caught_up,
                    Err(why) => {
                        tracing::warn!(%why, "removals cannot be read now; they will be");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        app.hub().subscribe(removals.clone(), Start::After(position))
                    }
                };
            }
            Next::Idle => return,
        }
    }
}
