//! The gateway file: where the gateway listens, what a peer may take, which apps it begins with.
//!
//! Absent on purpose: limits of apps, which are reloaded; this file is read once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::id::{IdKey, SdkAppId};
use crate::time::Zone;

use super::document::{Section, Value};
use super::values::number;

/// How the gateway runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Where gRPC is served by TCP.
    pub listen: SocketAddr,
    /// The Unix socket where it is served as well.
    pub uds: Option<PathBuf>,
    /// Where `/metrics` and `/readyz` are served.
    pub http: SocketAddr,
    /// The deployment's zone.
    pub zone: Zone,
    /// The secret that ids are hashed with; a fresh one when nothing.
    pub id_key: Option<IdKey>,
    /// Threads that serve calls; one for each processor when nothing.
    pub workers: Option<usize>,
    /// How long calls in flight may take to finish when the gateway stops.
    pub drain: Duration,
    /// What one peer may take.
    pub connections: Connections,
    /// Apps to create when they are missing, with their editions; the catalog's first where none is named.
    pub apps: Vec<(SdkAppId, Option<Box<str>>)>,
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
            http: SocketAddr::from(([127, 0, 0, 1], 7601)),
            zone: Zone::default(),
            id_key: None,
            workers: None,
            drain: Duration::from_secs(10),
            connections: Connections::default(),
            apps: Vec::new(),
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
    let http = root.optional("http", default.http, address);
    let zone = root.optional("time_zone", default.zone, zone);
    let id_key = root.optional("id_key", None, |value| id_key(value).map(Some));
    let workers = root.optional("workers", None, |value| number(value, 1..=256).map(Some));
    let drain = seconds(root, "drain_seconds", default.drain, 600);
    let connections = root.optional("connections", default.connections, |value| {
        value.table("[connections]", connections)
    });
    let apps = root.optional("apps", Vec::new(), apps);
    Some(Settings {
        listen: listen?,
        uds: uds?,
        http: http?,
        zone: zone?,
        id_key: id_key?,
        workers: workers?,
        drain: drain?,
        connections: connections?,
        apps: apps?,
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
    let digits = value.as_str().filter(|text| text.len() == 32);
    let bytes = digits.and_then(|text| {
        let number = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        number
            .then(|| u128::from_str_radix(text, 16).ok())
            .flatten()
    });
    if bytes.is_none() {
        value
            .fault("`id_key` must be 32 hexadecimal digits, as `openssl rand -hex 16` prints them");
    }
    bytes.map(|number| IdKey::new(number.to_be_bytes()))
}
