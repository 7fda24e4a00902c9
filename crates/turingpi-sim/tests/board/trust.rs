// SPDX-License-Identifier: Apache-2.0
//! Which certificates are taken.

use turingpi_bmc::{Bmc, Error, Fingerprint, Trust};
use turingpi_sim::{Board, Profile};

use crate::{board, options};

async fn with(board: &Board, trust: Trust) -> Result<(), Error> {
    let mut options = options(board);
    options.trust = trust;
    Bmc::new(options)?.power().await.map(drop)
}

#[tokio::test]
async fn self_signed_is_not_enough() {
    let (board, dir) = board(Profile::V2_3_7, |_| {}).await;
    let (other, _other_dir) = crate::board(Profile::V2_3_7, |_| {}).await;
    let refused = |result: Result<(), Error>| match result {
        Err(Error::Untrusted { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    refused(with(&board, Trust::System).await);
    let of_other = Trust::Authority(other.certificate().unwrap().to_owned());
    refused(with(&board, of_other).await);
    let why = refused(with(&board, Trust::Fingerprint(Fingerprint([7; 32]))).await);
    // the message has what is needed to accept it
    let shown = why
        .split_whitespace()
        .find_map(|w| w.trim_end_matches(',').parse().ok());
    with(&board, Trust::Fingerprint(shown.unwrap()))
        .await
        .unwrap();
    with(&board, Trust::Insecure).await.unwrap();
    let known = dir.path().join("known");
    with(&board, Trust::FirstUse(known.clone())).await.unwrap();
    with(&board, Trust::FirstUse(known)).await.unwrap();
    let empty = with(&board, Trust::Authority(String::new())).await;
    assert!(refused(empty).contains("cannot be used"));
}

#[tokio::test]
async fn a_changed_certificate_is_noticed() {
    let (board, dir) = board(Profile::V2_3_7, |_| {}).await;
    let known = dir.path().join("known");
    with(&board, Trust::FirstUse(known.clone())).await.unwrap();
    let at = board.address();
    board.stop().await;
    let (board, _dir) = crate::board(Profile::V2_3_7, |o| o.listen = at).await;
    let error = with(&board, Trust::FirstUse(known)).await.unwrap_err();
    assert!(error.to_string().contains("fingerprint"), "{error}");
}
