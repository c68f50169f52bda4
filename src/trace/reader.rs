//! The lines of a trace, one after the other, from a plain or gzipped stream.
//!
//! Invariant: at most one line of [`LINE_BYTES_MAX`] is held, however long the stream or the line. Gzip is known by its first
//! two bytes, never by the file's name. Absent on purpose: files and progress; the caller opens what it likes.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use super::fault::{Fault, TraceError};
use super::line::Line;

/// Longest line: a group created with 6,000 initial members of the longest ids has 800 KB.
pub const LINE_BYTES_MAX: usize = 1 << 20;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Some editors put it before the first line.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// A read of the file brings some thousand lines.
const BUFFER_BYTES: usize = 1 << 16;

/// Reads a trace.
pub struct Reader {
    file: Box<str>,
    input: Box<dyn BufRead>,
    buffer: Vec<u8>,
    /// The number of the line in the buffer.
    number: u64,
}

impl Reader {
    /// A reader of a stream; `file` is how faults name it.
    pub fn new(file: &str, mut source: impl Read + 'static) -> Result<Self, TraceError> {
        let mut start = Vec::new();
        let read = source.by_ref().take(2).read_to_end(&mut start);
        read.map_err(|error| Fault::Unreadable(error).on(file, 1))?;
        let gzip = start == GZIP_MAGIC;
        let whole = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(start).chain(source));
        let input: Box<dyn BufRead> = if gzip {
            let unpacked = MultiGzDecoder::new(whole);
            Box::new(BufReader::with_capacity(BUFFER_BYTES, unpacked))
        } else {
            Box::new(whole)
        };
        Ok(Self {
            file: file.into(),
            input,
            buffer: Vec::new(),
            number: 0,
        })
    }

    /// The next line; nothing at the end. Empty lines may stand there, and nowhere else.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, TraceError> {
        if !self.advance()? {
            return Ok(None);
        }
        Line::read(&self.file, self.number, &self.buffer).map(Some)
    }

    /// The next line as it stands, with its number from 1; nothing at the end.
    pub(crate) fn next_bytes(&mut self) -> Result<Option<(u64, &[u8])>, TraceError> {
        let is_there = self.advance()?;
        Ok(is_there.then_some((self.number, &*self.buffer)))
    }

    /// The file, as it was named.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// Puts the next line that is not empty into the buffer; false at the end.
    fn advance(&mut self) -> Result<bool, TraceError> {
        let mut empty = None;
        while self.fill()? {
            if self.buffer.trim_ascii().is_empty() {
                empty.get_or_insert(self.number);
                continue;
            }
            if let Some(number) = empty {
                return Err(Fault::Empty.on(&self.file, number));
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Puts the next line into the buffer; false at the end.
    fn fill(&mut self) -> Result<bool, TraceError> {
        self.number += 1;
        self.buffer.clear();
        // One byte for the line's end, one that tells a longer line from the longest.
        let mut input = self.input.by_ref().take(LINE_BYTES_MAX as u64 + 2);
        let read = input.read_until(b'\n', &mut self.buffer);
        read.map_err(|error| unreadable(error).on(&self.file, self.number))?;
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
        } else if self.buffer.is_empty() {
            return Ok(false);
        }
        if self.number == 1 && self.buffer.starts_with(BYTE_ORDER_MARK) {
            self.buffer.drain(..BYTE_ORDER_MARK.len());
        }
        if self.buffer.len() > LINE_BYTES_MAX {
            return Err(Fault::TooLong(LINE_BYTES_MAX).on(&self.file, self.number));
        }
        Ok(true)
    }
}

/// The decoder reports what is wrong with the stream by these kinds; a file does not.
fn unreadable(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            Fault::Gzip(error)
        }
        _ => Fault::Unreadable(error),
    }
}
