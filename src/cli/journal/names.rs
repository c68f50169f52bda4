//! `journal names`: the ids of an app's users or groups, which only the files hold.

use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use super::Place;
use crate::cli::app::app_id;
use crate::cli::complain;
use crate::id::SdkAppId;
use crate::recovery::Wanted;
use crate::usage::{Bearer, Facts};

/// Prints the ids of an app's users, or of its groups
#[derive(Args)]
#[command(
    long_about = "Prints the id of every registered user of an app, or of every group that exists, one a line: as the app \
                  gave them, in no order that means anything. Line ends and backslashes in them are written as \\n, \\r and \
                  \\\\.",
    after_long_help = "\
Examples:
  quotagate journal names data --app 1400000001
  quotagate journal names data --app 1400000001 --groups | sort > groups

Exit status:
  0  printed; nothing for an app without any
  2  trouble: the directory is damaged, in use, or no data directory"
)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The app (SDKAppID)
    #[arg(long, value_name = "APP", value_parser = app_id)]
    app: u32,
    /// Those of groups instead of users
    #[arg(long)]
    groups: bool,
}

pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let opened = arguments.place.open("journal names")?;
    let app = SdkAppId::new(arguments.app)?;
    let examined = opened.examine(Wanted::App(app))?;
    let wanted = if arguments.groups {
        Bearer::Group
    } else {
        Bearer::User
    };
    let mut stdout = BufWriter::new(io::stdout().lock());
    let told = examined.names(&opened.storage, Some(app), |_, bearer, text| {
        if bearer == wanted {
            writeln!(stdout, "{}", escaped(text))?;
        }
        Ok::<_, anyhow::Error>(())
    });
    let told = told.and_then(|named| {
        stdout.flush()?;
        Ok(named)
    });
    let named = match told {
        Err(error) if is_broken_pipe(&error) => return Ok(ExitCode::SUCCESS),
        told => told.context("cannot print the ids")?,
    };
    let all = examined.facts.get(&app).map(Facts::tally);
    let all = all.unwrap_or_default();
    let (all, printed) = match wanted {
        Bearer::User => (all.users, named.users),
        Bearer::Group => (all.groups, named.groups),
    };
    if printed < all {
        let lost = all - printed;
        complain(&format!(
            "{lost} more have no id: it was lost when the journal failed"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// A reader has seen enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn escaped(id: &str) -> String {
    let escaped = id.replace('\\', "\\\\");
    escaped.replace('\n', "\\n").replace('\r', "\\r")
}
