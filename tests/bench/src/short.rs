//! Every workload for a moment, with little stored. Nothing is said about how fast anything was.

use std::{io, time::Duration};

use coordhub_server::bench::{
    Run,
    finding::Finding,
    flood::{self, Beside},
    progress::Progress,
    workload::{Own, Session, WORKLOADS},
};

use crate::TableArgs;

const MOMENT: Duration = Duration::from_millis(200);
const MESSAGES: u64 = 3_000;
/// A bound that a flood meets within a moment, and those who send by the clock do not.
const FEW_CHANGES: &str = "--changes-per-second=100";

/// `false` where something was lost, doubled, out of order, refused or claimed twice.
pub(crate) fn run(args: &TableArgs) -> io::Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(all(args))
}

async fn all(args: &TableArgs) -> io::Result<bool> {
    let folder = args.dir.clone().unwrap_or_else(std::env::temp_dir);
    let own = Own::start(&args.program()?, &folder)?;
    let mut session = Session::on_own(own, MOMENT, MESSAGES, Progress::default())?;
    let (mut passed, mut failed) = (0, 0);
    for workload in WORKLOADS {
        let Some(finding) = session.run(workload).await? else { continue };
        let faults: Vec<String> =
            finding.faults().map(|(name, count)| format!("{name}: {count}")).collect();
        if !faults.is_empty() {
            println!("{} FAILED: {}", workload.name, faults.join(", "));
            failed += 1;
        } else if did_nothing(&finding) {
            println!("{} FAILED: nothing was answered", workload.name);
            failed += 1;
        } else {
            println!("{} ok", workload.name);
            passed += 1;
        }
    }
    let (own, tokens) = Own::start_with_tokens(&args.program()?, &folder, &[FEW_CHANGES])?;
    let server = own.server().ok_or_else(|| io::Error::other("the hub has stopped"))?;
    let mut run = Run::new(server.target().clone(), MOMENT, Progress::default());
    run.tokens = Some(tokens);
    for (name, beside) in [("beside-flood", Beside::Flood), ("beside-others", Beside::Admitted)] {
        let finding = flood::run(&run, name, beside).await?;
        let faults: Vec<String> =
            finding.faults().map(|(name, count)| format!("{name}: {count}")).collect();
        if faults.is_empty() && !did_nothing(&finding) {
            println!("{name} ok");
            passed += 1;
        } else {
            println!("{name} FAILED: {}", faults.join(", "));
            failed += 1;
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

/// A load that nobody answered would have no faults either. That nothing was missing to the store says nothing.
fn did_nothing(finding: &Finding) -> bool {
    finding.rate.is_some() && finding.per_second() == 0.0 && finding.name != "store"
}
