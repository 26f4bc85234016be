//! The one place where the core meets tokio: blocking work is moved to threads that may block.

use std::sync::LazyLock;

use coordhub_core::{HubError, limits::CATCH_UPS_MAX, subscribe::Subscription};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::{app::App, http::call::Blocking, wire::Problem};

/// Catch-ups wait here rather than on a blocking thread each.
static CATCH_UPS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(CATCH_UPS_MAX));

/// Reads that may block.
pub async fn blocking(app: &App, read: Blocking) -> Result<Vec<u8>, Problem> {
    let app = app.clone();
    spawn_blocking(move || read(&app)).await.unwrap_or_else(|_| Err(HubError::Internal.into()))
}

/// Has a subscription read its next page from the store.
pub async fn catch_up(mut subscription: Subscription) -> Result<Subscription, HubError> {
    let _permit = CATCH_UPS.acquire().await.map_err(|_| HubError::Closed)?;
    spawn_blocking(move || subscription.catch_up().map(|()| subscription))
        .await
        .unwrap_or(Err(HubError::Internal))
}
