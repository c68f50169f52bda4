//! The gateway file: where the gateway listens, what a peer may take, which apps it begins with.
//!
//! Absent on purpose: limits of apps, which are reloaded; this file is read once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::id::{IdKey, SdkAppId};
use crate::journal::Level;
use crate::rating::PushDay;
use crate::time::Zone;

use super::document::{Section, Value};
use super::values::{number, one_of};

/// Longest name of a gateway in records of usage.
const GATEWAY_NAME_BYTES_MAX: usize = 64;

/// How the gateway runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Where gRPC is served by TCP.
    pub listen: SocketAddr,
    /// The Unix socket where it is served as well.
    pub uds: Option<PathBuf>,
    /// Where `/metrics` and `/readyz` are served.
    pub monitoring: SocketAddr,
    /// The deployment's zone.
    pub zone: Zone,
    /// The secret that ids are hashed with; the data directory keeps one when nothing.
    pub id_key: Option<IdKey>,
    /// Threads that serve calls; one for each processor when nothing.
    pub workers: Option<usize>,
    /// How long calls in flight may take to finish when the gateway stops.
    pub drain: Duration,
    /// Where data is, and what is kept of it.
    pub storage: Storage,
    /// What one peer may take.
    pub connections: Connections,
    /// The day of the next month on which a month closes and its bills are pushed.
    pub push_day: PushDay,
    /// The gateway's name in records of usage; that of its data directory when nothing.
    pub metered_as: Option<Box<str>>,
    /// Apps to create when they are missing, with their editions; the catalog's first where none is named.
    pub apps: Vec<(SdkAppId, Option<Box<str>>)>,
}

/// Where data is, and what is kept of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Storage {
    /// The data directory.
    pub data_dir: PathBuf,
    /// What is kept of what was answered.
    pub level: Level,
    /// A snapshot is taken when the journal has grown by so many MiB since the last one, and by half of its length.
    pub snapshot_mib: u64,
}

/// What one peer may take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connections {
    /// Connections at once.
    pub max: usize,
    /// Streams at once on one connection.
    pub streams_max: u32,
    /// How long the HTTP/2 handshake may take.
    pub handshake: Duration,
    /// How long a connection may be without a call.
    pub idle: Duration,
    /// How often a peer must give a sign of life.
    pub keepalive: Duration,
    /// How long a peer may leave answers unread.
    pub unread: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7600)),
            uds: None,
            monitoring: SocketAddr::from(([127, 0, 0, 1], 7601)),
            zone: Zone::default(),
            id_key: None,
            workers: None,
            drain: Duration::from_secs(10),
            storage: Storage::default(),
            connections: Connections::default(),
            push_day: PushDay::default(),
            metered_as: None,
            apps: Vec::new(),
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            level: Level::Process,
            snapshot_mib: 32,
        }
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            max: 10_000,
            streams_max: 256,
            handshake: Duration::from_secs(5),
            idle: Duration::from_mins(10),
            keepalive: Duration::from_secs(30),
            unread: Duration::from_secs(30),
        }
    }
}

/// Reads the whole file.
pub(super) fn settings(root: &Section<'_>) -> Option<Settings> {
    let default = Settings::default();
    let listen = root.optional("listen", default.listen, address);
    let uds = root.optional("uds", None, |value| {
        Some(Some(PathBuf::from(value.text()?)))
    });
    let monitoring = root.optional("http", default.monitoring, address);
    let zone = root.optional("time_zone", default.zone, zone);
    let id_key = root.optional("id_key", None, |value| id_key(value).map(Some));
    let workers = root.optional("workers", None, |value| number(value, 1..=256).map(Some));
    let drain = seconds(root, "drain_seconds", default.drain, 600);
    let storage = root.optional("storage", default.storage, |value| {
        value.table("[storage]", storage)
    });
    let connections = root.optional("connections", default.connections, |value| {
        value.table("[connections]", connections)
    });
    let push_day = root.optional("billing", default.push_day, |value| {
        value.table("[billing]", |section| {
            section.optional("push_day", PushDay::default(), push_day)
        })
    });
    let metered_as = root.optional("metering", None, |value| {
        value.table("[metering]", |section| {
            section.optional("gateway", None, |value| gateway_name(value).map(Some))
        })
    });
    let apps = root.optional("apps", Vec::new(), apps);
    Some(Settings {
        listen: listen?,
        uds: uds?,
        monitoring: monitoring?,
        zone: zone?,
        id_key: id_key?,
        workers: workers?,
        drain: drain?,
        storage: storage?,
        connections: connections?,
        push_day: push_day?,
        metered_as: metered_as?,
        apps: apps?,
    })
}

fn storage(section: &Section<'_>) -> Option<Storage> {
    let default = Storage::default();
    let data_dir = section.optional("data_dir", default.data_dir, |value| {
        value.text().map(PathBuf::from)
    });
    let level = section.optional("level", default.level, |value| {
        one_of(value, &Level::ALL, Level::name)
    });
    let snapshot_mib = section.optional("snapshot_mib", default.snapshot_mib, |value| {
        number(value, 1..=1_048_576)
    });
    Some(Storage {
        data_dir: data_dir?,
        level: level?,
        snapshot_mib: snapshot_mib?,
    })
}

fn connections(section: &Section<'_>) -> Option<Connections> {
    let default = Connections::default();
    let max = section.optional("max", default.max, |value| number(value, 1..=1_000_000));
    let streams = |value| number(value, 1..=65_536);
    let streams_max = section.optional("streams_max", default.streams_max, streams);
    let handshake = seconds(section, "handshake_seconds", default.handshake, 600);
    let idle = seconds(section, "idle_seconds", default.idle, 86_400);
    let keepalive = seconds(section, "keepalive_seconds", default.keepalive, 3_600);
    let unread = seconds(section, "unread_seconds", default.unread, 3_600);
    Some(Connections {
        max: max?,
        streams_max: streams_max?,
        handshake: handshake?,
        idle: idle?,
        keepalive: keepalive?,
        unread: unread?,
    })
}

fn push_day(value: Value<'_>) -> Option<PushDay> {
    PushDay::new(number(value, 1..=3)?)
}

fn apps(value: Value<'_>) -> Option<Vec<(SdkAppId, Option<Box<str>>)>> {
    let mut lines = BTreeMap::new();
    value.list("a list, each app under [[apps]]", |item| {
        let line = item.line();
        item.table("the app", |section| {
            let id = section.required("sdk_app_id", |value| {
                let id = SdkAppId::new(number(value, 1..=i128::from(u32::MAX))?).ok()?;
                if let Some(first) = lines.insert(id, line) {
                    value.fault(format!("app {id} stands on line {first} already: keep one"));
                    return None;
                }
                Some(id)
            });
            let edition =
                section.optional("edition", None, |value| Some(Some(value.text()?.into())));
            Some((id?, edition?))
        })
    })
}

fn seconds(
    section: &Section<'_>,
    key: &'static str,
    default: Duration,
    most: i128,
) -> Option<Duration> {
    section.optional(key, default, |value| {
        number(value, 1..=most).map(Duration::from_secs)
    })
}

/// A name that stands in file names, labels and addresses as it is.
fn gateway_name(value: Value<'_>) -> Option<Box<str>> {
    let name = value.as_str();
    let name = name.filter(|name| (1..=GATEWAY_NAME_BYTES_MAX).contains(&name.len()));
    let stands = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    let name = name.filter(|name| name.bytes().all(stands));
    if name.is_none() {
        value.wrong("1 to 64 letters, digits, dashes, underscores, dots and colons");
    }
    name.map(Into::into)
}

fn address(value: Value<'_>) -> Option<SocketAddr> {
    let address = value.as_str().and_then(|text| text.parse().ok());
    if address.is_none() {
        value.wrong("an IP address and a port like \"127.0.0.1:7600\"");
    }
    address
}

fn zone(value: Value<'_>) -> Option<Zone> {
    Zone::parse(value.text()?)
        .map_err(|error| value.fault(error.to_string()))
        .ok()
}

/// The secret itself stands in no message.
fn id_key(value: Value<'_>) -> Option<IdKey> {
    let key = value.as_str().and_then(IdKey::parse);
    if key.is_none() {
        value
            .fault("`id_key` must be 32 hexadecimal digits, as `openssl rand -hex 16` prints them");
    }
    key
}
