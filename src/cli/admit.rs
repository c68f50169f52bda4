//! `admit`: one operation, asked of a running gateway.
//!
//! Invariant: a flag that the operation does not take, or misses, is told before anything is sent. Absent on purpose: a policy; a
//! gateway that does not decide is trouble.

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};

use super::app::app_id;
use super::remote::Server;
use super::{DENIED, json, print, verdict};
use crate::admission::OperationKind;
use crate::client::{ClientError, DecidedBy};
use crate::proto::admit_request::Operation;
use crate::proto::{
    AddFriend, AdmitRequest, CreateGroup, DeleteGroup, DeleteUser, JoinGroup, LeaveGroup, Login,
    Mode, RegisterUser, RemoveFriend,
};
use crate::time::Timestamp;

/// Asks whether one operation may happen, and has it remembered
#[derive(Args)]
#[command(
    long_about = "Asks a running gateway whether one operation may happen, and has it remembered if it may.\n\n\
                  Flags by operation, besides --app, --mode and --json:\n  \
                  register_user, delete_user    --user\n  \
                  login                         --user, --at\n  \
                  add_friend, remove_friend     --user, --friend, --one-way\n  \
                  create_group                  --group, --type, --owner, --member (for each)\n  \
                  delete_group                  --group\n  \
                  join_group                    --group, --user, --type (for adopting an unknown group)\n  \
                  leave_group                   --group, --user",
    after_long_help = "\
Examples:
  quotagate admit register_user --app 1400000001 --user alice
  quotagate admit create_group --app 1400000001 --group lobby --type Public --owner alice --member bob
  quotagate admit join_group --app 1400000001 --group lobby --user carol --mode dry-run --json

Exit status:
  0  allowed
  1  denied
  2  trouble: an argument is wrong, or no gateway answers"
)]
pub(super) struct Arguments {
    /// What is to happen
    #[arg(value_parser = operations())]
    operation: String,
    /// The app (SDKAppID)
    #[arg(long, value_name = "APP", value_parser = app_id)]
    app: u32,
    #[command(flatten)]
    fields: Fields,
    /// Enforce: decide, and remember; dry-run: decide alone; record: it has happened, remember it even beyond a limit
    #[arg(long, value_enum, default_value_t = How::Enforce)]
    mode: How,
    #[command(flatten)]
    server: Server,
    /// Prints the response as one line of JSON, by the proto's field names
    #[arg(long)]
    json: bool,
}

/// What operations are about.
#[derive(Args)]
struct Fields {
    /// The acting user's id
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// The other user's id
    #[arg(long, value_name = "ID")]
    friend: Option<String>,
    /// The friendship is on the acting user's list alone
    #[arg(long)]
    one_way: bool,
    /// The group's id
    #[arg(long, value_name = "ID")]
    group: Option<String>,
    /// The group's type, like Public
    #[arg(long = "type", value_name = "NAME")]
    kind: Option<String>,
    /// The owner's id
    #[arg(long, value_name = "ID")]
    owner: Option<String>,
    /// The id of a user who joins the group at once; may be given for several
    #[arg(long = "member", value_name = "ID")]
    members: Vec<String>,
    /// When the login happened, if not now, like 2026-03-01T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<Timestamp>,
}

#[derive(Clone, Copy, ValueEnum)]
enum How {
    Enforce,
    DryRun,
    Record,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Some(kind) = OperationKind::from_name(&arguments.operation) else {
        anyhow::bail!("there is no operation \"{}\"", arguments.operation);
    };
    let request = AdmitRequest {
        sdk_app_id: arguments.app,
        mode: match arguments.mode {
            How::Enforce => Mode::Enforce.into(),
            How::DryRun => Mode::DryRun.into(),
            How::Record => Mode::Record.into(),
        },
        at: arguments.fields.at.map(proto_time),
        operation: Some(arguments.fields.operation(kind)?),
    };
    let response = arguments.server.must(async |client| {
        let answer = client.admit(request).await?;
        match answer.decided_by() {
            DecidedBy::Gateway => Ok(answer),
            DecidedBy::Policy(cause) => Err(ClientError::Undecided(cause.clone())),
        }
    })?;
    print(&if arguments.json {
        json::line("AdmitResponse", response.response())?
    } else {
        verdict::of(response.response(), &arguments.fields.members)
    })?;
    Ok(ExitCode::from(if response.is_allowed() {
        0
    } else {
        DENIED
    }))
}

impl Fields {
    /// The operation, of exactly the fields that it takes.
    fn operation(&self, kind: OperationKind) -> anyhow::Result<Operation> {
        self.take_only(kind, taken(kind))?;
        let need = |field: &Option<String>, flag| {
            field.clone().ok_or_else(|| {
                let name = kind.name();
                anyhow::anyhow!("{name} needs {flag}: give it; see quotagate admit --help")
            })
        };
        let user = || need(&self.user, "--user");
        let friend = || need(&self.friend, "--friend");
        let group = || need(&self.group, "--group");
        Ok(match kind {
            OperationKind::RegisterUser => Operation::RegisterUser(RegisterUser { user: user()? }),
            OperationKind::DeleteUser => Operation::DeleteUser(DeleteUser { user: user()? }),
            OperationKind::Login => Operation::Login(Login { user: user()? }),
            OperationKind::AddFriend => Operation::AddFriend(AddFriend {
                user: user()?,
                friend: friend()?,
                one_way: self.one_way,
            }),
            OperationKind::RemoveFriend => Operation::RemoveFriend(RemoveFriend {
                user: user()?,
                friend: friend()?,
                one_way: self.one_way,
            }),
            OperationKind::CreateGroup => Operation::CreateGroup(CreateGroup {
                group: group()?,
                r#type: need(&self.kind, "--type")?,
                owner: need(&self.owner, "--owner")?,
                members: self.members.clone(),
            }),
            OperationKind::DeleteGroup => Operation::DeleteGroup(DeleteGroup { group: group()? }),
            OperationKind::JoinGroup => Operation::JoinGroup(JoinGroup {
                group: group()?,
                user: user()?,
                r#type: self.kind.clone().unwrap_or_default(),
            }),
            OperationKind::LeaveGroup => Operation::LeaveGroup(LeaveGroup {
                group: group()?,
                user: user()?,
            }),
        })
    }

    /// A fault if a flag is given that is not in `taken`.
    fn take_only(&self, kind: OperationKind, taken: &[&str]) -> anyhow::Result<()> {
        let flags = [
            ("--user", self.user.is_some()),
            ("--friend", self.friend.is_some()),
            ("--one-way", self.one_way),
            ("--group", self.group.is_some()),
            ("--type", self.kind.is_some()),
            ("--owner", self.owner.is_some()),
            ("--member", !self.members.is_empty()),
            ("--at", self.at.is_some()),
        ];
        for (flag, given) in flags {
            let name = kind.name();
            anyhow::ensure!(
                !given || taken.contains(&flag),
                "{name} takes no {flag}: leave it out; it takes {}",
                taken.join(", ")
            );
        }
        Ok(())
    }
}

fn taken(kind: OperationKind) -> &'static [&'static str] {
    match kind {
        OperationKind::RegisterUser | OperationKind::DeleteUser => &["--user"],
        OperationKind::Login => &["--user", "--at"],
        OperationKind::AddFriend | OperationKind::RemoveFriend => {
            &["--user", "--friend", "--one-way"]
        }
        OperationKind::CreateGroup => &["--group", "--type", "--owner", "--member"],
        OperationKind::DeleteGroup => &["--group"],
        OperationKind::JoinGroup => &["--group", "--user", "--type"],
        OperationKind::LeaveGroup => &["--group", "--user"],
    }
}

fn operations() -> PossibleValuesParser {
    PossibleValuesParser::new(OperationKind::ALL.map(OperationKind::name))
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).map_err(|error| error.to_string())
}

fn proto_time(at: Timestamp) -> prost_types::Timestamp {
    let ms = at.as_unix_ms();
    // Below a thousand, so that a million of it fits.
    let millis = i32::try_from(ms.rem_euclid(1000)).unwrap_or(0);
    prost_types::Timestamp {
        seconds: ms.div_euclid(1000),
        nanos: millis * 1_000_000,
    }
}
