//! The `coordhub` command.

/// The system's allocator is slow where one thread frees what another took, which is the way of
/// every message here: measured, a tenth of the processor time at full load.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::process::ExitCode;

fn main() -> ExitCode {
    coordhub_server::cli::run_with(std::env::args_os()).into()
}
