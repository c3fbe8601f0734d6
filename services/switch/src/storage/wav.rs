//! The one form of WAV that the switch writes: mono, 8,000 samples a second, 16 bits.

pub(crate) const HEADER_BYTES: u64 = 44;

/// The header of a file with so many samples. More than fit into the format's 32 bits (37 hours) are said to be as many as fit.
pub(crate) fn header(samples: i64) -> [u8; HEADER_BYTES as usize] {
    const RATE: u32 = 8_000;
    const BYTES_A_SAMPLE: u16 = 2;
    let data = u32::try_from(samples.saturating_mul(i64::from(BYTES_A_SAMPLE))).unwrap_or(u32::MAX - 64);
    let mut header = [0; HEADER_BYTES as usize];
    let parts: [&[u8]; 13] = [
        b"RIFF",
        &(data + 36).to_le_bytes(),
        b"WAVE",
        b"fmt ",
        &16_u32.to_le_bytes(),
        &1_u16.to_le_bytes(),
        &1_u16.to_le_bytes(),
        &RATE.to_le_bytes(),
        &(RATE * u32::from(BYTES_A_SAMPLE)).to_le_bytes(),
        &BYTES_A_SAMPLE.to_le_bytes(),
        &16_u16.to_le_bytes(),
        b"data",
        &data.to_le_bytes(),
    ];
    let mut at = 0;
    for part in parts {
        header[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    header
}

pub(crate) fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// The length of a file with so many samples.
pub(crate) fn length(samples: i64) -> u64 {
    HEADER_BYTES + samples as u64 * 2
}

/// How many whole samples a file of this length has.
pub(crate) fn samples_in(file_bytes: u64) -> i64 {
    (file_bytes.saturating_sub(HEADER_BYTES) / 2) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_is_not_ours_understands_the_file() {
        let samples = [1, -2, i16::MAX, i16::MIN];
        let file = [header(4).to_vec(), bytes(&samples)].concat();
        let mut reader = hound::WavReader::new(file.as_slice()).expect("a WAV file");
        let spec = reader.spec();
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 8_000, 16));
        let read: Vec<i16> = reader.samples().map(|sample| sample.expect("a sample")).collect();
        assert_eq!(read, samples);
        assert_eq!(samples_in(file.len() as u64), 4);
    }
}
