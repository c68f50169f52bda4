//! Fields of headers as HPACK writes them (RFC 7541), one byte after the other: is the next one of an `:authority`?
//!
//! Invariant: a few words of state, whatever the bytes say. Absent on purpose: values. A value in Huffman's code is passed over,
//! for a sign of it may end in a byte that comes with another read; so is a name in that code or from the table of what was
//! said before.

use std::ops::ControlFlow;

pub(super) const NAME: &[u8] = b":authority";
/// Its index in the static table (RFC 7541, A).
pub(super) const NAME_INDEX: usize = 1;
/// Where the last bits of a number may belong: far beyond any length that `h2` takes.
const NUMBER_SHIFT_MAX: u32 = 21;

/// Where in a field of headers the next byte stands (RFC 7541, 6).
#[derive(Clone, Copy)]
pub(super) enum Field {
    Start,
    /// A number that goes on: what it is so far, and where its next bits belong.
    Number(Number, usize, u32),
    /// The length of a string.
    Length(Text),
    /// A string, and its bytes that are to come: one or more.
    Text(Text, usize),
}

/// What a number tells.
#[derive(Clone, Copy)]
pub(super) enum Number {
    /// The whole field: its index, or a size of the table.
    Whole,
    NameIndex,
    Length(Text),
}

/// A string of a field.
#[derive(Clone, Copy)]
pub(super) enum Text {
    /// A name that is the one looked for, if this follows.
    Name(&'static [u8]),
    OtherName,
    Authority,
    OtherValue,
}

impl Field {
    /// Whether the next byte is one of an `:authority`.
    pub(super) fn is_authority(self) -> bool {
        matches!(self, Self::Text(Text::Authority, _))
    }

    /// Where the byte after this one stands.
    pub(super) fn after(self, byte: u8) -> ControlFlow<(), Self> {
        let goes_on = byte & 0x80 != 0;
        ControlFlow::Continue(match self {
            Self::Start => match byte {
                0x80.. => Number::Whole.begun(byte, 0x7f),
                0x40..0x80 => Number::NameIndex.begun(byte, 0x3f),
                0x20..0x40 => Number::Whole.begun(byte, 0x1f),
                0x00..0x20 => Number::NameIndex.begun(byte, 0x0f),
            },
            Self::Number(number, value, shift) => {
                let value = value + (usize::from(byte & 0x7f) << shift);
                match shift {
                    _ if !goes_on => number.known(value),
                    0..NUMBER_SHIFT_MAX => Self::Number(number, value, shift + 7),
                    _ => return ControlFlow::Break(()),
                }
            }
            Self::Length(text) if goes_on => Number::Length(text.in_huffman()).begun(byte, 0x7f),
            Self::Length(text) => Number::Length(text).begun(byte, 0x7f),
            Self::Text(text, left) => text.after(byte).with(left.saturating_sub(1)),
        })
    }
}

impl Number {
    /// A number whose first bits are those of the byte under the mask.
    fn begun(self, byte: u8, mask: u8) -> Field {
        match byte & mask {
            bits if bits == mask => Field::Number(self, usize::from(mask), 0),
            bits => self.known(usize::from(bits)),
        }
    }

    fn known(self, value: usize) -> Field {
        match (self, value) {
            (Self::Whole, _) => Field::Start,
            (Self::NameIndex, 0) => Field::Length(Text::Name(NAME)),
            (Self::NameIndex, NAME_INDEX) => Field::Length(Text::Authority),
            (Self::NameIndex, _) => Field::Length(Text::OtherValue),
            (Self::Length(text), bytes) => text.with(bytes),
        }
    }
}

impl Text {
    /// What is not looked into.
    fn in_huffman(self) -> Self {
        match self {
            Self::Name(_) | Self::OtherName => Self::OtherName,
            Self::Authority | Self::OtherValue => Self::OtherValue,
        }
    }

    /// What it is after one more byte.
    fn after(self, byte: u8) -> Self {
        match self {
            Self::Name([next, rest @ ..]) if *next == byte => Self::Name(rest),
            Self::Name(_) => Self::OtherName,
            text => text,
        }
    }

    /// Where the next byte stands when as many of the string are to come.
    fn with(self, bytes: usize) -> Field {
        match self {
            text if bytes > 0 => Field::Text(text, bytes),
            Self::Name([]) => Field::Length(Text::Authority),
            Self::Name(_) | Self::OtherName => Field::Length(Text::OtherValue),
            Self::Authority | Self::OtherValue => Field::Start,
        }
    }
}
