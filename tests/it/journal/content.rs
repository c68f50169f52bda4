//! What a file of the faulty storage holds: what was synced, and what was written since.

use super::dice::Dice;

/// A change of a file that has not been synced.
#[derive(Clone, Debug)]
pub enum Edit {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Debug, Default)]
pub struct Content {
    pub synced: Vec<u8>,
    pub edits: Vec<Edit>,
    pub now: Vec<u8>,
    pub has_failed_to_sync: bool,
}

impl Content {
    pub fn durable(bytes: Vec<u8>) -> Self {
        Self {
            synced: bytes.clone(),
            now: bytes,
            ..Self::default()
        }
    }

    /// The kernel keeps what was written, but for what a failed sync has left: that counts as clean, and may go.
    pub fn after_kill(&self, dice: &mut Dice) -> Self {
        if self.has_failed_to_sync {
            return Self::durable(lossy(self, dice));
        }
        Self {
            synced: self.synced.clone(),
            edits: self.edits.clone(),
            now: self.now.clone(),
            has_failed_to_sync: false,
        }
    }
}

pub fn edit(content: &mut Vec<u8>, edit: &Edit) {
    match edit {
        Edit::Write(at, bytes) => {
            let end = at + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[*at..end].copy_from_slice(bytes);
        }
        Edit::Length(length) => content.resize(*length, 0),
    }
}

/// A file after a loss of power: each piece of what was written since its last sync is there or not, and lengths, too.
pub fn lossy(content: &Content, dice: &mut Dice) -> Vec<u8> {
    let mut left = content.synced.clone();
    // All kept, all lost, the first ones kept, or any: the last is what reordering leaves.
    let manner = dice.below(4);
    let first = dice.below(content.edits.len() + 1);
    for (at, one) in content.edits.iter().enumerate() {
        let is_kept = match manner {
            0 => true,
            1 => false,
            2 => at < first,
            _ => dice.one_in(2),
        };
        match one {
            Edit::Write(offset, bytes) if manner == 3 || (manner == 2 && at == first) => {
                tear(&mut left, *offset, bytes, dice);
            }
            _ if is_kept => edit(&mut left, one),
            _ => {}
        }
    }
    left
}

/// Some pieces of a write: up to any byte, or any of its sectors (of 32 bytes, as frames are small here).
fn tear(content: &mut Vec<u8>, offset: usize, bytes: &[u8], dice: &mut Dice) {
    if dice.one_in(2) {
        let kept = dice.below(bytes.len() + 1);
        edit(content, &Edit::Write(offset, bytes[..kept].to_vec()));
        return;
    }
    let mut at = 0;
    while at < bytes.len() {
        let end = bytes.len().min(at + 32 - (offset + at) % 32);
        if dice.one_in(2) {
            edit(content, &Edit::Write(offset + at, bytes[at..end].to_vec()));
        }
        at = end;
    }
}
