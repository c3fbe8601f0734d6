//! The lengths of the files that the switch writes: telephone sound, whose header is written anew when the file is complete.

use baton_audio::wav::{self, Format, HEADER_BYTES, MAX_DATA_BYTES};

/// The header of a file with so many samples. More than fit into the format's 32 bits (74 hours) are said to be as many as fit.
pub(crate) fn header(samples: i64) -> [u8; HEADER_BYTES] {
    let longest = MAX_DATA_BYTES & !1;
    let data_bytes = u64::try_from(samples).unwrap_or_default().saturating_mul(2).min(longest);
    wav::header(Format::PHONE, data_bytes).expect("no longer than the format allows")
}

/// The length of a file with so many samples.
pub(crate) fn length(samples: i64) -> u64 {
    HEADER_BYTES as u64 + samples as u64 * 2
}

/// How many whole samples a file of this length has.
pub(crate) fn samples_in(file_bytes: u64) -> i64 {
    (file_bytes.saturating_sub(HEADER_BYTES as u64) / 2) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_its_samples_and_half_a_sample_does_not_count() {
        assert_eq!((samples_in(length(4)), samples_in(length(4) + 1), samples_in(3)), (4, 4, 0));
    }

    #[test]
    fn more_samples_than_fit_have_a_header() {
        let said = |samples| u32::from_le_bytes(header(samples)[40..].try_into().unwrap());
        assert_eq!((said(4), u64::from(said(i64::MAX))), (8, MAX_DATA_BYTES & !1));
    }
}
