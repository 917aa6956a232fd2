//! Bytes that notice how far the JPEG decoder's bit reader came.

use zune_jpeg::zune_core::bytestream::{ZByteIoError, ZByteReaderTrait, ZSeekFrom};

/// Some bytes, followed by filler that is neither a marker nor the end of the input.
///
/// zune-jpeg fetches entropy-coded data either four bytes at once or byte by byte without an error; everything else
/// (headers, the search for the end marker) it reads in other ways. That tells its bit reader's position, which it does
/// not give away itself. The tests of [`crate::decode`] notice when this changes.
pub(crate) struct Watched<'a> {
    bytes: &'a [u8],
    filler: usize,
    position: usize,
    data_read: usize,
}

/// Not `FF`, which would start a marker.
const FILLER: u8 = 0x55;

impl<'a> Watched<'a> {
    pub(crate) fn new(bytes: &'a [u8], filler: usize) -> Self {
        Self { bytes, filler, position: 0, data_read: 0 }
    }

    /// Where the bit reader stopped to fetch, counted from the start; includes what it fetched ahead.
    pub(crate) fn data_read(&self) -> usize {
        self.data_read
    }

    fn len(&self) -> usize {
        self.bytes.len() + self.filler
    }

    /// Fills `buffer` as far as there are bytes, and says how far.
    fn copy(&self, buffer: &mut [u8]) -> usize {
        if let Some(bytes) = self.bytes.get(self.position..self.position + buffer.len()) {
            buffer.copy_from_slice(bytes);
            return buffer.len();
        }
        let available = buffer.len().min(self.len().saturating_sub(self.position));
        let real = self.bytes.get(self.position..).unwrap_or_default();
        buffer[..available].fill(FILLER);
        buffer[..real.len()].copy_from_slice(real);
        available
    }
}

impl ZByteReaderTrait for &mut Watched<'_> {
    #[inline(always)]
    fn read_byte_no_error(&mut self) -> u8 {
        let byte = match self.bytes.get(self.position) {
            Some(byte) => *byte,
            None if self.position < self.len() => FILLER,
            None => return 0,
        };
        self.position += 1;
        self.data_read = self.position;
        byte
    }

    #[inline(always)]
    fn read_exact_bytes(&mut self, buffer: &mut [u8]) -> Result<(), ZByteIoError> {
        self.peek_exact_bytes(buffer)?;
        self.position += buffer.len();
        if buffer.len() == 4 {
            self.data_read = self.position;
        }
        Ok(())
    }

    fn read_bytes(&mut self, buffer: &mut [u8]) -> Result<usize, ZByteIoError> {
        let read = self.copy(buffer);
        self.position += read;
        Ok(read)
    }

    fn peek_bytes(&mut self, buffer: &mut [u8]) -> Result<usize, ZByteIoError> {
        Ok(self.copy(buffer))
    }

    #[inline(always)]
    fn peek_exact_bytes(&mut self, buffer: &mut [u8]) -> Result<(), ZByteIoError> {
        let read = self.copy(buffer);
        if read == buffer.len() { Ok(()) } else { Err(ZByteIoError::NotEnoughBytes(read, buffer.len())) }
    }

    #[inline(always)]
    fn z_seek(&mut self, from: ZSeekFrom) -> Result<u64, ZByteIoError> {
        let target = match from {
            ZSeekFrom::Start(position) => i64::try_from(position).ok(),
            ZSeekFrom::End(distance) => (self.len() as i64).checked_add(distance),
            ZSeekFrom::Current(distance) => (self.position as i64).checked_add(distance),
        };
        let target = target.and_then(|target| usize::try_from(target).ok());
        // like a file, it may be moved behind its end, where there is nothing to read
        self.position = target.ok_or(ZByteIoError::SeekError("position out of range"))?.min(self.len());
        Ok(self.position as u64)
    }

    #[inline(always)]
    fn is_eof(&mut self) -> Result<bool, ZByteIoError> {
        Ok(self.position >= self.len())
    }

    fn z_position(&mut self) -> Result<u64, ZByteIoError> {
        Ok(self.position as u64)
    }

    fn read_remaining(&mut self, sink: &mut Vec<u8>) -> Result<usize, ZByteIoError> {
        let mut rest = vec![0; self.len() - self.position];
        let read = self.read_bytes(&mut rest)?;
        sink.append(&mut rest);
        Ok(read)
    }
}
