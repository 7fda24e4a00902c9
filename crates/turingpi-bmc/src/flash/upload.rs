// SPDX-License-Identifier: Apache-2.0
//! The image itself: its name, its sum, and the way from the file to the board in pieces.

use std::fmt::Write as _;
use std::path::Path;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::pieces::{Pieces, file_error};
use super::{Flash, Progress, Source, cancelled};
use crate::bmc::Bmc;
use crate::error::{Error, Result};

const BOUNDARY: &str = "k1s-image-7d1f3c5b9a";

/// What is known of an image before it is sent.
#[derive(Debug)]
pub(super) struct Image {
    /// The name that the daemon gets; its ending says whether it is compressed.
    pub(super) name: String,
    pub(super) length: u64,
    pub(super) sha256: Option<String>,
}

pub(super) enum PrepareError {
    Cancelled,
    Mismatch(String),
    File(Error),
}

/// Looks at the image, and computes its sum where it is a file.
pub(super) async fn prepare(
    flash: &Flash,
    on_progress: &mut impl FnMut(Progress),
    cancel: &mut watch::Receiver<bool>,
) -> std::result::Result<Image, PrepareError> {
    let given = flash.sha256.as_ref().map(|s| s.to_ascii_lowercase());
    let path = match &flash.source {
        Source::File(path) => path,
        Source::OnBmc(name) | Source::Url(name) => {
            return Ok(Image {
                name: name.clone(),
                length: 0,
                sha256: given,
            });
        }
    };
    let name = path
        .file_name()
        .and_then(|n| n.to_str())
        .unwrap_or("image")
        .to_owned();
    // the daemon hands the name of a firmware to a shell
    let safe = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b));
    if flash.slot.is_none() && !safe {
        return Err(PrepareError::File(Error::Argument(format!(
            "the name of a firmware may have letters, digits, dots, dashes and underscores only: {name:?}"
        ))));
    }
    let (sha256, length) = sum(path, on_progress, cancel).await?;
    if length == 0 {
        return Err(PrepareError::Mismatch(format!(
            "{} is empty",
            path.display()
        )));
    }
    if let Some(given) = given
        && given != sha256
    {
        return Err(PrepareError::Mismatch(format!(
            "{} has the SHA-256 {sha256}, expected was {given}",
            path.display()
        )));
    }
    Ok(Image {
        name,
        length,
        sha256: Some(sha256),
    })
}

async fn sum(
    path: &Path,
    on_progress: &mut impl FnMut(Progress),
    cancel: &mut watch::Receiver<bool>,
) -> std::result::Result<(String, u64), PrepareError> {
    let mut pieces = Pieces::open(path).await.map_err(PrepareError::File)?;
    let mut hash = Sha256::new();
    let mut done = 0;
    let mut told = 0;
    loop {
        let piece = tokio::select! {
            biased;
            () = cancelled(cancel) => return Err(PrepareError::Cancelled),
            piece = pieces.next() => piece,
        };
        let Some(piece) = piece else { break };
        let piece = piece.map_err(|e| PrepareError::File(file_error(path, e)))?;
        hash.update(&piece);
        done += piece.len() as u64;
        if done - told >= 64 << 20 {
            told = done;
            on_progress(Progress::Hashing(done, pieces.size));
        }
    }
    Ok((hex(&hash.finalize()), done))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The SHA-256 of a file, in hexadecimal, and its size in bytes.
///
/// # Errors
/// When it cannot be read.
pub async fn sha256_of_file(path: &Path) -> Result<(String, u64)> {
    let (_switch, mut never) = super::never();
    match sum(path, &mut |_| {}, &mut never).await {
        Ok(sum) => Ok(sum),
        Err(PrepareError::File(e)) => Err(e),
        // nobody asks for an end
        Err(PrepareError::Cancelled | PrepareError::Mismatch(_)) => Err(Error::Argument(format!(
            "{} was not read to its end",
            path.display()
        ))),
    }
}

impl Bmc {
    /// Sends a file as the one part of a form, with its length, in pieces. Exactly the announced number of bytes: more would crash the
    /// daemon.
    pub(super) async fn send_file(&self, path: &Path, image: &Image, handle: u64) -> Result<()> {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"image\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let tail = format!("\r\n--{BOUNDARY}--\r\n");
        let total = head.len() as u64 + image.length + tail.len() as u64;
        let pieces = Pieces::open(path).await?;
        let pieces =
            futures_util::stream::unfold((pieces, image.length), async |(mut pieces, left)| {
                if left == 0 {
                    return None;
                }
                match pieces.next().await {
                    None => {
                        let shrunk = std::io::Error::other("the image became shorter");
                        Some((Err(shrunk), (pieces, 0)))
                    }
                    Some(Ok(mut piece)) => {
                        // one that has grown is sent as long as it was
                        piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                        let left = left - piece.len() as u64;
                        Some((Ok(piece), (pieces, left)))
                    }
                    Some(Err(e)) => Some((Err(e), (pieces, 0))),
                }
            });
        let once = |text: String| futures_util::stream::once(async { Ok(Bytes::from(text)) });
        let frames = once(head)
            .chain(pieces)
            .chain(once(tail))
            .map(|piece| piece.map(Frame::data));
        let body = StreamBody::new(frames).boxed_unsync();
        let what = "the upload";
        let path = format!("/api/bmc/upload/{handle}");
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        self.upload(what, &path, &content_type, total, body)
            .await
            .map(drop)
    }
}
