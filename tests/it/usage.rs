//! Usage that leaves the gateway: sketches that others read, records that are merged, events that are exported.

mod endpoint;
mod export;
mod merge;
mod python;

use quotagate::sketch::Sketch;

/// The users with these numbers, whose ids are the 16 bytes of their keys: what another library hashes as a text.
fn sketch_of(users: std::ops::Range<u64>) -> Sketch {
    let mut sketch = Sketch::new();
    for number in users {
        let id = format!("user-{number:011}");
        let bytes = id.as_bytes().try_into().expect("16 bytes");
        sketch.add(u128::from_le_bytes(bytes));
    }
    sketch
}
