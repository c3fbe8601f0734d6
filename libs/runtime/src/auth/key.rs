//! The key that signs and verifies tokens, and its file in the data folder.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jsonwebtoken::{DecodingKey, EncodingKey};

use super::{Caller, TokenError, Verifier, provider, token};
use crate::ids;
use crate::secret_file::is_exposed;

const KEY_BYTES: usize = 32;

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file exists and can't be read.
    #[error("can't read the key file {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// There is no file, and it can't be created.
    #[error("can't write the key file {}; choose a folder that can be written", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// Other users than its owner can read it.
    #[error("the key file {} can be read by others (mode {mode:03o}); run: chmod 600 {}", path.display(), path.display())]
    Exposed {
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    #[error("the key file {} does not hold 64 hexadecimal digits; remove it to get a new key (all tokens become invalid)", path.display())]
    Malformed { path: PathBuf },
}

/// Signs tokens. All services of one installation share one key.
#[derive(Clone)]
pub struct SigningKey([u8; KEY_BYTES]);

impl SigningKey {
    /// In the data folder.
    pub const FILE_NAME: &str = "token.key";

    /// A random key.
    pub fn generate() -> Self {
        Self(ids::random_bytes())
    }

    /// The key in this file, which is created if it does not exist. Several processes that start at once get the same key.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        if let Some(key) = Self::load(path)? {
            return Ok(key);
        }
        let write_error = |source| KeyError::Write { path: path.to_owned(), source };
        create(path, &Self::generate()).map_err(write_error)?;
        Self::load(path)?.ok_or_else(|| write_error(io::ErrorKind::NotFound.into()))
    }

    /// The key in this file, if there is one.
    pub fn load(path: &Path) -> Result<Option<Self>, KeyError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(KeyError::Read { path: path.to_owned(), source });
            }
        };
        refuse_exposed(path)?;
        let malformed = || KeyError::Malformed { path: path.to_owned() };
        from_hex(text.trim()).map(Self).ok_or_else(malformed).map(Some)
    }

    /// A token for this caller, valid from now on for `ttl`, in whole seconds; and five seconds longer, because the clocks of
    /// two machines may differ by that much.
    pub fn mint(&self, caller: &Caller, now_us: i64, ttl: Duration) -> Result<String, TokenError> {
        provider::install();
        token::mint(&EncodingKey::from_secret(&self.0), caller, now_us, ttl)
    }

    pub fn verifier(&self) -> Verifier {
        provider::install();
        Verifier::new(DecodingKey::from_secret(&self.0))
    }

    #[cfg(test)]
    pub(super) fn secret(&self) -> &[u8] {
        provider::install();
        &self.0
    }
}

/// Does not print the key.
impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// The file appears whole or not at all, and never replaces one that another process created meanwhile.
fn create(path: &Path, key: &SigningKey) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension(format!("{}.tmp", ids::new_uuid().simple()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    let written = writeln!(file, "{}", to_hex(&key.0)).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn refuse_exposed(path: &Path) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::metadata(path).map_err(|source| KeyError::Read { path: path.to_owned(), source })?;
    let mode = metadata.permissions().mode() & 0o777;
    if is_exposed(&metadata) { Err(KeyError::Exposed { path: path.to_owned(), mode }) } else { Ok(()) }
}

#[cfg(not(unix))]
fn refuse_exposed(_: &Path) -> Result<(), KeyError> {
    Ok(())
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, it| text + &format!("{it:02x}"))
}

fn from_hex(text: &str) -> Option<[u8; KEY_BYTES]> {
    if text.len() != 2 * KEY_BYTES || !text.bytes().all(|it| it.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; KEY_BYTES];
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data").join(SigningKey::FILE_NAME);
        let first = SigningKey::load_or_create(&path).unwrap();
        let second = SigningKey::load_or_create(&path).unwrap();
        assert_eq!(first.0, second.0);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no drafts are left");
    }

    #[test]
    fn all_who_start_at_once_get_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SigningKey::FILE_NAME);
        let keys: Vec<_> = std::thread::scope(|scope| {
            let start = || scope.spawn(|| SigningKey::load_or_create(&path).unwrap().0);
            let threads: Vec<_> = (0..8).map(|_| start()).collect();
            threads.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SigningKey::FILE_NAME);
        SigningKey::load_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = SigningKey::load_or_create(&path).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_torn_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SigningKey::FILE_NAME);
        SigningKey::load_or_create(&path).unwrap();
        fs::write(&path, "abc").unwrap();
        assert!(matches!(SigningKey::load_or_create(&path), Err(KeyError::Malformed { .. })));
    }
}
