//! The bytes of a sketch: DataSketches' image, checked more strictly than its library does, and freed of the order.
//!
//! ```text
//! at  0  1  words of the head: 2 a list, 3 a set, 10 registers
//!     1  1  version: 1
//!     2  1  family: 7
//!     3  1  power of two of the registers: 14
//!     4  1  power of two of the table: 3 of a list, 5 to 11 of a set, nothing of registers
//!     5  1  flags: 4 empty, 8 without the table's gaps, 16 the order is forgotten
//!     6  1  marks of a list, at most 7; nothing otherwise
//!     7  1  kind: 8 a list, 9 a set, 10 registers; each of a byte
//! a list  8       its marks
//! a set   8  4    number of marks
//!        12       its marks
//! registers 8  8  a float that depends on the order
//!        16  8    float: the sum of 2^-r over registers r below 32
//!        24  8    float: the same of the others
//!        32  4    registers that are 0
//!        36  4    0
//!        40       the registers
//! ```
//!
//! Little-endian. A mark is 32 bits: 26 of which register, and above them the register's value, 1 to 63. Both sums are exact in
//! a float, in whatever order they are made. Invariant: what passes the check, the library can be asked anything about; its own
//! reader takes images whose estimate is no number, and registers that shift too far later.

use std::fmt;
use std::ops::Range;

use super::LG_REGISTERS;

/// Registers of a sketch, a byte each.
pub(super) const REGISTERS: usize = 1 << LG_REGISTERS;
/// What stands before the registers.
pub(super) const HEAD_BYTES: usize = 40;

const LIST: u8 = 8;
const SET: u8 = 9;
const ARRAY: u8 = 10;
const LIST_HEAD_BYTES: usize = 8;
const SET_HEAD_BYTES: usize = 12;
const MARK_BYTES: usize = 4;
const EMPTY: u8 = 4;
const COMPACT: u8 = 8;
const UNORDERED: u8 = 16;
/// An eighth mark makes a set of the list.
const LISTED_MAX: usize = 7;
const VALUE_MAX: u8 = 63;

/// What is wrong with an image.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SketchError {
    /// Too short or too long.
    #[error("has {has} bytes and should have {wanted}: it is cut off, or another thing follows it")]
    Length {
        /// The bytes there are.
        has: usize,
        /// The bytes that its head speaks of.
        wanted: usize,
    },
    /// Something else than a sketch of this family and version.
    #[error("is no HyperLogLog sketch in the format of Apache DataSketches, version 1")]
    NotASketch,
    /// Another number of registers.
    #[error("has 2^{0} registers; sketches of this gateway have 2^{LG_REGISTERS}")]
    Registers(u8),
    /// Registers of 4 or 6 bits, or a mode that there is not.
    #[error("is of kind {0}, which is none with registers of a byte (HLL_8)")]
    Kind(u8),
    /// The head contradicts itself, or what follows it.
    #[error("is damaged: its {0} cannot be so")]
    Head(&'static str),
    /// A mark that no user has, or that is there twice.
    #[error("is damaged: mark {at} is {problem}")]
    Mark {
        /// Which one, from 0.
        at: usize,
        /// What is wrong with it.
        problem: MarkProblem,
    },
    /// A register that no user can have raised as far.
    #[error("is damaged: register {at} is {value}, above {VALUE_MAX}")]
    Register {
        /// Which one, from 0.
        at: usize,
        /// Its value.
        value: u8,
    },
    /// More users than there can be.
    #[error("counts {0} users, which no app has")]
    Absurd(u64),
    /// The library refuses what was found to be right.
    #[error("is damaged: {0}")]
    Library(Box<str>),
}

/// What is wrong with a mark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MarkProblem {
    /// It is no user's.
    Empty,
    /// It is there twice.
    Twice,
}

impl fmt::Display for MarkProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "no user's",
            Self::Twice => "there twice",
        })
    }
}

/// Checks all that an image says.
pub(super) fn check(bytes: &[u8]) -> Result<(), SketchError> {
    let Some((head, rest)) = bytes.split_first_chunk::<LIST_HEAD_BYTES>() else {
        return Err(SketchError::Length {
            has: bytes.len(),
            wanted: LIST_HEAD_BYTES,
        });
    };
    let [
        words,
        version,
        family,
        lg_registers,
        lg_table,
        flags,
        state,
        kind,
    ] = *head;
    if (version, family) != (1, 7) {
        return Err(SketchError::NotASketch);
    }
    if lg_registers != LG_REGISTERS {
        return Err(SketchError::Registers(lg_registers));
    }
    let wanted_words = match kind {
        LIST => 2,
        SET => 3,
        ARRAY => 10,
        _ => return Err(SketchError::Kind(kind)),
    };
    let fault = |what, is_right: bool| is_right.then_some(()).ok_or(SketchError::Head(what));
    fault("length of the head", words == wanted_words)?;
    if kind == ARRAY {
        return check_array(bytes);
    }
    // Images with the table's gaps are of no use to anybody who sends them.
    fault("flags", flags & COMPACT != 0)?;
    if kind == LIST {
        let count = usize::from(state);
        fault("number of marks", count <= LISTED_MAX)?;
        fault("flags", (flags & EMPTY != 0) == (count == 0))?;
        fault("size of the table", lg_table == 3)?;
        return check_marks(rest, count, LIST_HEAD_BYTES);
    }
    let Some((count, marks)) = rest.split_first_chunk() else {
        let (has, wanted) = (bytes.len(), SET_HEAD_BYTES);
        return Err(SketchError::Length { has, wanted });
    };
    fault("size of the table", (5..=11).contains(&lg_table))?;
    let count = u32::from_le_bytes(*count);
    // A table is filled to three quarters. One with more marks would have grown, and could come to be full.
    let room = (1_u32 << lg_table) / 4 * 3;
    fault("number of marks", (1..=room).contains(&count))?;
    let count = usize::try_from(count).map_err(|_| SketchError::Head("number of marks"))?;
    check_marks(marks, count, SET_HEAD_BYTES)
}

fn check_marks(bytes: &[u8], count: usize, head: usize) -> Result<(), SketchError> {
    if bytes.len() != count * MARK_BYTES {
        return Err(SketchError::Length {
            has: head + bytes.len(),
            wanted: head + count * MARK_BYTES,
        });
    }
    let (marks, _) = bytes.as_chunks::<MARK_BYTES>();
    let mut numbered: Vec<_> = marks
        .iter()
        .map(|mark| u32::from_le_bytes(*mark))
        .zip(0..)
        .collect();
    if let Some((_, at)) = numbered.iter().find(|(mark, _)| mark >> 26 == 0) {
        let (at, problem) = (*at, MarkProblem::Empty);
        return Err(SketchError::Mark { at, problem });
    }
    numbered.sort_unstable();
    let twice = numbered
        .array_windows()
        .find(|[(one, _), (next, _)]| one == next);
    match twice {
        Some([_, (_, at)]) => Err(SketchError::Mark {
            at: *at,
            problem: MarkProblem::Twice,
        }),
        None => Ok(()),
    }
}

/// Registers, and a head that says what they say.
fn check_array(bytes: &[u8]) -> Result<(), SketchError> {
    let (has, wanted) = (bytes.len(), HEAD_BYTES + REGISTERS);
    let Some((head, registers)) = bytes.split_at_checked(HEAD_BYTES).filter(|_| has == wanted)
    else {
        return Err(SketchError::Length { has, wanted });
    };
    let above = registers.iter().position(|value| *value > VALUE_MAX);
    if let Some((at, value)) = above.and_then(|at| Some((at, *registers.get(at)?))) {
        return Err(SketchError::Register { at, value });
    }
    let zeros: u32 = registers.iter().map(|value| u32::from(*value == 0)).sum();
    let is_said = |range: Range<usize>, value: &[u8]| head.get(range) == Some(value);
    let checks = [
        (
            "sum of registers below 32",
            is_said(16..24, &sum(registers, 0..32).to_le_bytes()),
        ),
        (
            "sum of registers from 32 on",
            is_said(24..32, &sum(registers, 32..64).to_le_bytes()),
        ),
        (
            "number of registers that are 0",
            is_said(32..36, &zeros.to_le_bytes()),
        ),
        ("word before the registers", is_said(36..40, &[0; 4])),
    ];
    let wrong = checks.into_iter().find(|(_, is_right)| !is_right);
    wrong.map_or(Ok(()), |(what, _)| Err(SketchError::Head(what)))
}

/// The sum of 2^-r over the registers whose value r is in the range.
#[expect(
    clippy::float_arithmetic,
    reason = "the format has the sum as a float, in which it is exact"
)]
fn sum(registers: &[u8], range: Range<u8>) -> f64 {
    let counted = registers.iter().filter(|value| range.contains(value));
    // A float of nothing but its exponent. (`sum` begins with -0.0, which is another float.)
    counted.fold(0.0, |sum, value| {
        sum + f64::from_bits((1_023 - u64::from(*value)) << 52)
    })
}

/// The image without anything that depends on the order in which users came: marks in order, registers without the estimate of
/// their history.
pub(super) fn canonical(mut bytes: Vec<u8>) -> Vec<u8> {
    match bytes.get(7) {
        Some(&ARRAY) => {
            if let Some(history) = bytes.get_mut(8..16) {
                history.fill(0);
            }
            if let Some(flags) = bytes.get_mut(5) {
                *flags = UNORDERED;
            }
        }
        Some(&kind) => {
            let head = if kind == SET {
                SET_HEAD_BYTES
            } else {
                LIST_HEAD_BYTES
            };
            let marks = bytes.get_mut(head..).unwrap_or_default();
            let (marks, _) = marks.as_chunks_mut::<MARK_BYTES>();
            marks.sort_unstable_by_key(|mark| u32::from_le_bytes(*mark));
        }
        None => {}
    }
    bytes
}
