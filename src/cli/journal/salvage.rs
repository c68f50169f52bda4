//! `journal salvage`: a damaged journal made readable again, at the price of what lies behind the damage.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;

use super::{Place, torn};
use crate::cli::table::shown;
use crate::cli::{DENIED, counted, print};
use crate::journal::{self, Ending, Found, Position, ReadError, Salvaged, SetId, Storage};
use crate::recovery::{RecoverError, Wanted};
use crate::snapshot::{Files, seen_by, set_of};

/// Cuts a damaged journal where the damage begins
#[derive(Args)]
#[command(
    long_about = "Makes a data directory that `verify` calls damaged usable again: the journal ends where the damage begins. \
                  What was admitted after that is lost: restore a backup instead if there is one that is newer.\n\n\
                  Nothing is deleted: the files are kept under names that end in .damaged. Without --yes it only says what \
                  it would do.",
    after_long_help = "\
Examples:
  quotagate journal salvage data
  quotagate journal salvage data --yes

Exit status:
  0  there was nothing to do, or it is done
  1  there is something to do, and --yes is missing
  2  trouble: no salvage helps, or the directory is in use, or no data directory"
)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Does it
    #[arg(long)]
    yes: bool,
}

pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let opened = arguments.place.open("journal salvage")?;
    let storage = &opened.storage;
    let (from, set) = in_force(storage)?;
    let read = journal::read(storage, from, set, &mut |_| Ok(()), &mut |_, _| {});
    if let (Err(ReadError::Damaged { position, .. }), Some(_)) = (&read, set) {
        needed(seen_by(storage, from)?, *position)?;
    }
    if !arguments.yes {
        return would(read);
    }
    let salvaged = journal::salvage(storage, from, set)?;
    print(&done(&salvaged, from)?)?;
    // Whether it is of use: what was kept can still contradict itself.
    opened.examine(Wanted::All)?;
    Ok(ExitCode::SUCCESS)
}

/// What the journal has to be read from.
fn in_force(storage: &dyn Storage) -> Result<(Position, Option<SetId>), RecoverError> {
    let base = Files::list(storage)
        .map_err(RecoverError::Io)?
        .snapshots
        .last()
        .copied();
    let set = base.map(|base| set_of(storage, base)).transpose()?;
    Ok((base.unwrap_or(Position::START), set))
}

/// A snapshot is of no use without the part of the journal that was written while it was taken.
fn needed(seen: Position, position: Position) -> anyhow::Result<()> {
    anyhow::ensure!(
        position >= seen,
        "the journal can be read up to position {position}, and the snapshot needs it up to {seen}: restore a backup; \
         nothing was changed"
    );
    Ok(())
}

fn would(read: Result<Found, ReadError>) -> anyhow::Result<ExitCode> {
    let text = match read {
        Ok(found) => match &found.ending {
            Ending::Torn(tear) => format!(
                "{}: that would be cut off, as the next start does\n",
                torn(tear)
            ),
            Ending::Closed | Ending::Open => {
                print("nothing to do: the journal is whole\n")?;
                return Ok(ExitCode::SUCCESS);
            }
        },
        Err(ReadError::Damaged {
            file,
            offset,
            position,
            proof,
        }) => format!(
            "{file} is damaged at byte {offset}: {proof}\n\
             the journal would end there, at position {position}; what was admitted after that would be lost, and the \
             files kept aside\n"
        ),
        Err(error) => return Err(error.into()),
    };
    print(&(text + "nothing was changed: say --yes to have it done\n"))?;
    Ok(ExitCode::from(DENIED))
}

fn done(salvaged: &Salvaged, from: Position) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    match salvaged {
        Salvaged::Nothing => text.push_str("nothing to do: the journal is whole\n"),
        Salvaged::Cut(tear) => writeln!(text, "cut off: {}", torn(tear))?,
        Salvaged::Ended {
            file,
            offset,
            position,
            frames,
            entries,
            set_aside,
        } => {
            writeln!(
                text,
                "the journal ends at position {} now, where {file} is damaged at byte {offset}",
                (*position).max(from)
            )?;
            let writes = usize::try_from(*frames).unwrap_or(usize::MAX);
            writeln!(
                text,
                "lost: what the damage hit, and {} entries in {} behind it that could be read",
                shown(*entries),
                counted(writes, "write", "writes")
            )?;
            writeln!(text, "kept aside: {}", set_aside.join(", "))?;
        }
    }
    Ok(text)
}
