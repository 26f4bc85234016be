//! Adopts the file of the hub before this one.

use std::path::Path;

use super::StoreError;

pub(super) fn adopt(path: &Path) -> Result<(), StoreError> {
    let path = path.display().to_string();
    Err(StoreError::Foreign { path, why: "it is a file of the old hub".to_owned() })
}
