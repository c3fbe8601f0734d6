//! WAV files as far as Baton needs them: 16-bit PCM, read from a stream without holding it, and the header of a new one.
//!
//! A file is right when its header says exactly how much audio follows (R4). A switch that died while writing leaves a header
//! with another length; the switch must repair such a file, and it is never stored as it is.

/// The size of the header that [`header`] makes.
pub const HEADER_BYTES: usize = 44;
/// The audio must begin within this many bytes: no switch writes more before it.
const MAX_HEAD_BYTES: usize = 4_096;
/// The most audio in a WAV file: its lengths are 32-bit numbers.
pub const MAX_DATA_BYTES: u64 = u32::MAX as u64 - HEADER_BYTES as u64;

const PCM: u16 = 1;
const BYTES_PER_SAMPLE: u16 = 2;

/// Why a file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    #[error("it is no WAV file of 16-bit PCM: {0}")]
    NotWav(&'static str),
    /// It was cut off, or its header was never completed.
    #[error("its header promises {promised} bytes of audio, and {found} came")]
    WrongLength { promised: u64, found: u64 },
}

/// The format of the samples, of 16 bits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Per second and channel.
    pub sample_rate: u32,
    pub channels: u16,
}

impl Format {
    /// Telephone sound, as the simulated switch writes it.
    pub const PHONE: Self = Self { sample_rate: 8_000, channels: 1 };

    fn frame_bytes(self) -> u64 {
        u64::from(self.channels * BYTES_PER_SAMPLE)
    }

    /// How long this much audio lasts, rounded down.
    pub fn duration_ms(self, data_bytes: u64) -> u64 {
        let bytes_per_second = self.frame_bytes() * u64::from(self.sample_rate);
        (data_bytes * 1_000).checked_div(bytes_per_second).unwrap_or(0)
    }
}

/// The position of the audio in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WavLayout {
    pub format: Format,
    /// Of the first sample, in bytes.
    pub data_offset: u64,
    pub data_bytes: u64,
}

/// Checks a file that comes in pieces.
#[derive(Debug, Default)]
pub struct WavChecker {
    head: Vec<u8>,
    layout: Option<WavLayout>,
    seen: u64,
}

impl WavChecker {
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), WavError> {
        self.seen += bytes.len() as u64;
        if self.layout.is_some() {
            return Ok(());
        }
        let room = MAX_HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.layout = parse(&self.head)?;
        if self.layout.is_none() && self.head.len() == MAX_HEAD_BYTES {
            return Err(WavError::NotWav("it does not begin with its audio"));
        }
        Ok(())
    }

    /// Call it at the end of the file.
    pub fn finish(self) -> Result<WavLayout, WavError> {
        let layout = self.layout.ok_or(WavError::NotWav("it ends within its header"))?;
        let found = self.seen - layout.data_offset;
        if found != layout.data_bytes {
            return Err(WavError::WrongLength { promised: layout.data_bytes, found });
        }
        if !found.is_multiple_of(layout.format.frame_bytes()) {
            return Err(WavError::NotWav("it ends within a sample"));
        }
        Ok(layout)
    }
}

/// The header of a file with this much audio; `None` above [`MAX_DATA_BYTES`].
pub fn header(format: Format, data_bytes: u64) -> Option<[u8; HEADER_BYTES]> {
    let data_bytes = u32::try_from(data_bytes).ok().filter(|it| u64::from(*it) <= MAX_DATA_BYTES)?;
    let frame_bytes = format.channels * BYTES_PER_SAMPLE;
    let parts: [&[u8]; 12] = [
        b"RIFF",
        &(data_bytes + HEADER_BYTES as u32 - 8).to_le_bytes(),
        b"WAVEfmt ",
        &16_u32.to_le_bytes(),
        &PCM.to_le_bytes(),
        &format.channels.to_le_bytes(),
        &format.sample_rate.to_le_bytes(),
        &(format.sample_rate * u32::from(frame_bytes)).to_le_bytes(),
        &frame_bytes.to_le_bytes(),
        &(BYTES_PER_SAMPLE * 8).to_le_bytes(),
        b"data",
        &data_bytes.to_le_bytes(),
    ];
    parts.concat().try_into().ok()
}

/// Samples as they stand in a file.
pub fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// The samples of a whole file of [`Format::PHONE`].
///
/// # Errors
/// The file is of another format, or not whole.
pub fn samples(file: &[u8]) -> Result<Vec<i16>, WavError> {
    let mut checker = WavChecker::default();
    checker.push(file)?;
    let layout = checker.finish()?;
    if layout.format != Format::PHONE {
        return Err(WavError::NotWav("it is not a mono file of 8,000 samples a second"));
    }
    let (pairs, _) = file[layout.data_offset as usize..].as_chunks::<2>();
    Ok(pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect())
}

/// Reads the chunks up to the audio; `None` if `head` is too short.
fn parse(head: &[u8]) -> Result<Option<WavLayout>, WavError> {
    let Some(riff) = head.get(..12) else { return Ok(None) };
    if !riff.starts_with(b"RIFF") || !riff.ends_with(b"WAVE") {
        return Err(WavError::NotWav("it does not begin with RIFF and WAVE"));
    }
    let mut at = riff.len();
    let mut format = None;
    loop {
        let (Some(name), Some(size)) = (head.get(at..at + 4), u32_at(head, at + 4)) else { return Ok(None) };
        let body = at + 8;
        if name == b"data" {
            let format = format.ok_or(WavError::NotWav("its format is not given before the audio"))?;
            return Ok(Some(WavLayout { format, data_offset: body as u64, data_bytes: u64::from(size) }));
        }
        if name == b"fmt " {
            let Some(fields) = head.get(body..body + 16) else { return Ok(None) };
            format = Some(read_format(fields)?);
        }
        // Chunks begin at even offsets.
        at = body + (size as usize).next_multiple_of(2);
    }
}

fn read_format(fields: &[u8]) -> Result<Format, WavError> {
    let (Some(coding), Some(channels), Some(sample_rate), Some(bits)) =
        (u16_at(fields, 0), u16_at(fields, 2), u32_at(fields, 4), u16_at(fields, 14))
    else {
        return Err(WavError::NotWav("its format is cut off"));
    };
    if coding != PCM || bits != BYTES_PER_SAMPLE * 8 {
        return Err(WavError::NotWav("its samples are of another kind"));
    }
    if !(1..=2).contains(&channels) || !(8_000..=48_000).contains(&sample_rate) {
        return Err(WavError::NotWav("it needs one or two channels of 8,000 to 48,000 samples a second"));
    }
    Ok(Format { sample_rate, channels })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: Format = Format::PHONE;

    fn file(data: usize) -> Vec<u8> {
        let mut file = header(PHONE, data as u64).unwrap().to_vec();
        file.resize(HEADER_BYTES + data, 7);
        file
    }

    fn check(file: &[u8], piece: usize) -> Result<WavLayout, WavError> {
        let mut checker = WavChecker::default();
        for bytes in file.chunks(piece) {
            checker.push(bytes)?;
        }
        checker.finish()
    }

    #[test]
    fn a_whole_file_is_right_in_pieces_of_any_size() {
        let layout = WavLayout { format: PHONE, data_offset: 44, data_bytes: 320 };
        for piece in [1, 2, 7, 43, 44, 45, 1_000] {
            assert_eq!(check(&file(320), piece), Ok(layout), "{piece}");
        }
    }

    #[test]
    fn a_header_reads_back_with_another_reader() {
        let reader = hound::WavReader::new(std::io::Cursor::new(file(1_600))).unwrap();
        assert_eq!((reader.spec().sample_rate, reader.spec().channels, reader.duration()), (8_000, 1, 800));
    }

    #[test]
    fn chunks_before_the_audio_are_passed_over() {
        let mut with_list = file(2);
        with_list.splice(36..36, *b"LIST\x03\0\0\0abc\0");
        assert_eq!(check(&with_list, 5).unwrap().data_offset, 56);
    }

    #[test]
    fn a_file_that_was_cut_off_is_refused() {
        assert_eq!(check(&file(320)[..363], 64), Err(WavError::WrongLength { promised: 320, found: 319 }));
        assert!(matches!(check(&file(320)[..20], 64), Err(WavError::NotWav(_))));
        assert!(matches!(check(&[], 64), Err(WavError::NotWav(_))));
    }

    #[test]
    fn a_file_that_goes_on_is_refused() {
        let mut long = file(320);
        long.extend_from_slice(b"more");
        assert!(matches!(check(&long, 64), Err(WavError::WrongLength { found: 324, .. })));
    }

    #[test]
    fn half_a_sample_is_refused() {
        assert!(matches!(check(&file(321), 64), Err(WavError::NotWav(_))));
    }

    #[test]
    fn what_is_no_wav_is_refused_early() {
        let mut checker = WavChecker::default();
        assert!(checker.push(b"<html><body>").is_err());
        let endless = [b"RIFF\0\0\0\0WAVEJUNK\xff\xff\0\0".as_slice(), &[0; 8_000]].concat();
        assert!(matches!(check(&endless, 512), Err(WavError::NotWav(_))));
    }

    #[test]
    fn eight_bits_and_floats_are_refused() {
        for (at, value) in [(20, 3_u8), (34, 8), (22, 6)] {
            let mut other = file(4);
            other[at] = value;
            assert!(matches!(check(&other, 64), Err(WavError::NotWav(_))), "{at}");
        }
    }

    #[test]
    fn more_than_a_wav_can_hold_has_no_header() {
        assert!(header(PHONE, MAX_DATA_BYTES).is_some());
        assert!(header(PHONE, MAX_DATA_BYTES + 1).is_none());
    }

    #[test]
    fn a_second_of_telephone_is_a_second() {
        assert_eq!(PHONE.duration_ms(16_000), 1_000);
        assert_eq!(Format { sample_rate: 0, channels: 1 }.duration_ms(16_000), 0);
    }

    #[test]
    fn samples_read_back_here_and_with_another_reader() {
        let samples = [1, -2, i16::MAX, i16::MIN];
        let file = [header(PHONE, 8).unwrap().as_slice(), &bytes(&samples)].concat();
        assert_eq!(super::samples(&file).unwrap(), samples);
        let reader = hound::WavReader::new(file.as_slice()).unwrap();
        assert_eq!(reader.into_samples().collect::<Result<Vec<i16>, _>>().unwrap(), samples);
        let stereo = [header(Format { channels: 2, ..PHONE }, 8).unwrap().as_slice(), &bytes(&samples)].concat();
        assert!(matches!(super::samples(&stereo), Err(WavError::NotWav(_))));
    }
}
