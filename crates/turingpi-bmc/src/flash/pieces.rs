// SPDX-License-Identifier: Apache-2.0
//! A file in pieces: read ahead by a thread of its own, into a few buffers that are used again and again.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::mpsc as back;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::error::{Error, Result};

/// Bytes that are read, and sent, at once.
const PIECE: usize = 256 << 10;
/// Pieces that are on their way: one that is read, one that waits, one or two that are sent.
const AHEAD: usize = 4;

/// An error of a file.
pub(super) fn file_error(path: &Path, source: std::io::Error) -> Error {
    Error::File {
        path: path.display().to_string(),
        source,
    }
}

/// A buffer that goes back to the reader when the last who holds it lets it go.
struct Piece {
    bytes: Vec<u8>,
    length: usize,
    home: back::Sender<Vec<u8>>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // nobody reads any more: the buffer goes with this
        let _ = self.home.send(std::mem::take(&mut self.bytes));
    }
}

/// The pieces of a file, in their order.
pub(super) struct Pieces {
    /// The size of the file when it was opened, in bytes.
    pub(super) size: u64,
    pieces: mpsc::Receiver<std::io::Result<Bytes>>,
}

impl Pieces {
    /// Begins to read a file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) async fn open(path: &Path) -> Result<Self> {
        let failed = |e| file_error(path, e);
        let opening = path.to_owned();
        let opened = tokio::task::spawn_blocking(move || {
            let file = File::open(opening)?;
            let size = file.metadata()?.len();
            Ok::<_, std::io::Error>((file, size))
        });
        let (file, size) = opened
            .await
            .map_err(|e| failed(std::io::Error::other(e)))?
            .map_err(failed)?;
        let (to, pieces) = mpsc::channel(1);
        tokio::task::spawn_blocking(move || read(file, &to));
        Ok(Self { size, pieces })
    }

    /// The next piece; `None` at the end of the file.
    pub(super) async fn next(&mut self) -> Option<std::io::Result<Bytes>> {
        self.pieces.recv().await
    }
}

/// Reads until the end, an error, or until nobody wants any more.
fn read(mut file: File, to: &mpsc::Sender<std::io::Result<Bytes>>) {
    let (home, free) = back::channel();
    for _ in 0..AHEAD {
        let _ = home.send(vec![0; PIECE]);
    }
    // a receiver that is gone lets its pieces go, so that there is a free buffer and the next send fails
    while let Ok(mut bytes) = free.recv() {
        let result = match file.read(&mut bytes) {
            Ok(0) => return,
            Ok(length) => Ok(Bytes::from_owner(Piece {
                bytes,
                length,
                home: home.clone(),
            })),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {
                let _ = home.send(bytes);
                continue;
            }
            Err(e) => Err(e),
        };
        let failed = result.is_err();
        if to.blocking_send(result).is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[tokio::test]
    async fn all_of_a_file_in_its_order() {
        for size in [0, 1, PIECE - 1, PIECE, 9 * PIECE + 7] {
            let content: Vec<u8> = (0..size).map(|i| (i / 1000 % 251) as u8).collect();
            let file = file(&content);
            let mut pieces = Pieces::open(file.path()).await.unwrap();
            assert_eq!(pieces.size, size as u64);
            let mut read = Vec::new();
            while let Some(piece) = pieces.next().await {
                read.extend_from_slice(&piece.unwrap());
            }
            assert!(read == content, "{size}");
        }
    }

    #[tokio::test]
    async fn pieces_that_are_kept_hold_the_reader_back_and_change_no_more() {
        let content: Vec<u8> = (0..8 * PIECE).map(|i| (i / PIECE) as u8).collect();
        let file = file(&content);
        let mut pieces = Pieces::open(file.path()).await.unwrap();
        let mut kept = Vec::new();
        for _ in 0..AHEAD {
            kept.push(pieces.next().await.unwrap().unwrap());
        }
        for (i, piece) in kept.iter().enumerate() {
            assert!(piece.iter().all(|b| usize::from(*b) == i), "{i}");
        }
        drop(kept);
        let mut more = 0;
        while let Some(piece) = pieces.next().await {
            more += piece.unwrap().len();
        }
        assert_eq!(more, content.len() - AHEAD * PIECE);
    }

    #[tokio::test]
    async fn what_is_no_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Pieces::open(&dir.path().join("none")).await.is_err());
        let mut pieces = Pieces::open(dir.path()).await.unwrap();
        assert!(pieces.next().await.unwrap().is_err());
    }
}
