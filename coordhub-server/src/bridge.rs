//! The one place where the core meets tokio: blocking work is moved to threads that may block.

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use coordhub_core::{
    Hub, HubError, engine::Builder, limits::CATCH_UPS_MAX, store::StoreError,
    subscribe::Subscription,
};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::{
    access::first_admin::{self, FirstAdminError},
    app::App,
    wire::Problem,
};

/// Catch-ups wait here rather than on a blocking thread each.
static CATCH_UPS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(CATCH_UPS_MAX));

/// How long a hub may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Opens a hub's file.
pub async fn open(hub: Builder, db: PathBuf) -> Result<Hub, StoreError> {
    let opened = spawn_blocking(move || hub.open(db)).await;
    opened.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// Makes sure that somebody can run a hub in token mode.
pub async fn first_admin(hub: &Hub, db: &Path) -> Result<Option<PathBuf>, FirstAdminError> {
    let (hub, db) = (hub.clone(), db.to_owned());
    let made = spawn_blocking(move || first_admin::ensure(&hub, &db)).await;
    made.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// Anything else that blocks.
pub async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// Closes a hub. A store that hangs must not keep the process from ending.
pub async fn close(hub: Hub) {
    let closed = spawn_blocking(move || hub.close());
    if tokio::time::timeout(CLOSE_TIMEOUT, closed).await.is_err() {
        tracing::warn!("the store did not close in time; what was acknowledged is on disk");
    }
}

/// Reads that may block.
pub async fn blocking<T: Send + 'static>(
    app: &App,
    read: impl FnOnce(&App) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let app = app.clone();
    spawn_blocking(move || read(&app)).await.unwrap_or_else(|_| Err(HubError::Internal.into()))
}

/// Has a subscription read its next page from the store.
pub async fn catch_up(mut subscription: Subscription) -> Result<Subscription, HubError> {
    let _permit = CATCH_UPS.acquire().await.map_err(|_| HubError::Closed)?;
    let caught_up = spawn_blocking(move || subscription.catch_up().map(|()| subscription)).await;
    Ok(caught_up.map_err(|_| HubError::Internal)??)
}
