//! `config check`: every fault of the configuration files, or what is in them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::{TROUBLE, complain, counted, print};
use crate::catalog::{AddOn, Catalog};
use crate::config::{self, Fault, Loaded};

/// Checks gateway.toml, catalog.toml and limits.toml
#[derive(Args)]
#[command(
    long_about = "Checks catalog.toml (editions, prices, group types, codes), limits.toml (enforcement, overrides, \
                  budgets) and, if there is one, gateway.toml (addresses, what a peer may take, apps) as the gateway \
                  would when it loads them.\n\n\
                  Prints every fault of the files on stdout, one a line, as FILE:LINE:COLUMN: MESSAGE.",
    after_long_help = "\
Examples:
  quotagate config check
  quotagate config check /etc/quotagate

Exit status:
  0  the files are good; one line says what is in them
  2  there is a fault, or an argument is wrong"
)]
pub(super) struct Arguments {
    /// The directory with the files
    #[arg(default_value = "config")]
    dir: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let dir = arguments.dir.display();
    match load(&arguments.dir) {
        Ok(loaded) => {
            print(&format!("{dir}: {}\n", summary(&loaded)))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(faults) => {
            let mut text = String::new();
            for fault in &faults {
                writeln!(text, "{fault}")?;
            }
            print(&text)?;
            complain(&format!(
                "{dir}: {}",
                counted(faults.len(), "fault", "faults")
            ));
            Ok(ExitCode::from(TROUBLE))
        }
    }
}

/// The files that can be reloaded, if the one that is read once has no fault either.
fn load(dir: &Path) -> Result<Loaded, Vec<Fault>> {
    let file = dir.join("gateway.toml");
    let settings = file.exists().then(|| config::load_settings(&file));
    match (settings.transpose(), config::load_dir(dir)) {
        (Ok(_), loaded) => loaded,
        (Err(mut faults), loaded) => {
            faults.extend(loaded.err().unwrap_or_default());
            Err(faults)
        }
    }
}

/// What is in the files, in a line.
pub(super) fn summary(loaded: &Loaded) -> String {
    let catalog = &loaded.catalog;
    [
        counted(catalog.editions().count(), "edition", "editions"),
        counted(catalog.group_types().count(), "group type", "group types"),
        counted(add_on_prices(catalog), "add-on price", "add-on prices"),
        counted(loaded.policy.rules().count(), "rule", "rules"),
    ]
    .join(", ")
}

fn add_on_prices(catalog: &Catalog) -> usize {
    let editions = catalog.editions().map(|(id, _)| id);
    let prices = |id| AddOn::ALL.map(|add_on| catalog.tiers(add_on, id).count());
    editions.flat_map(prices).sum()
}
