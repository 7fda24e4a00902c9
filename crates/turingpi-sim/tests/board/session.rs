// SPDX-License-Identifier: Apache-2.0
//! Logins, dead tokens, bans.

use turingpi_bmc::{Bmc, Error};
use turingpi_sim::{Profile, Seen};

use crate::{board, client, credentials, options};

#[tokio::test]
async fn nothing_is_sent_before_it_is_needed() {
    let (board, _dir) = board(Profile::V2_3_7, |_| {}).await;
    let bmc = client(&board);
    let _other = bmc.clone();
    assert_eq!(
        board.connections(),
        (0, 0),
        "a client that was made has contacted nobody"
    );
    bmc.power().await.unwrap();
    let calls: Vec<_> = board.requests().iter().map(Seen::call).collect();
    assert_eq!(calls, ["/api/bmc/authenticate", "get power"]);
    assert_eq!(board.connections(), (1, 1), "one connection for both");
}

#[tokio::test]
async fn a_dead_token_costs_one_call() {
    let (board, _dir) = board(Profile::V2_3_7, |_| {}).await;
    let bmc = client(&board);
    bmc.power().await.unwrap();
    board.restart_daemon();
    bmc.power().await.unwrap();
    for _ in 0..10 {
        bmc.power().await.unwrap();
    }
}

#[tokio::test]
async fn a_wrong_password_is_tried_once() {
    let (board, _dir) = board(Profile::V2_3_7, |_| {}).await;
    let mut wrong = options(&board);
    wrong.credentials = credentials("hunter2");
    let bmc = Bmc::new(wrong).unwrap();
    for _ in 0..20 {
        let error = bmc.power().await.unwrap_err();
        assert!(matches!(error, Error::Credentials { .. }), "{error}");
        assert!(!error.to_string().contains("hunter2"));
    }
    // twenty refusals, one of them by the board: it has banned nobody
    client(&board).power().await.unwrap();
}

#[tokio::test]
async fn a_ban_is_told_with_its_end() {
    let (board, _dir) = board(Profile::V2_3_7, |o| o.speed = 1.0).await;
    for _ in 0..5 {
        let mut wrong = options(&board);
        wrong.credentials = credentials("x");
        let _ = Bmc::new(wrong).unwrap().power().await;
    }
    match client(&board).power().await.unwrap_err() {
        Error::Banned {
            for_at_most: Some(left),
            ..
        } => assert!(left.as_secs() <= 60 && left.as_secs() >= 30, "{left:?}"),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn without_credentials_it_says_what_is_missing() {
    let (board, _dir) = board(Profile::V2_3_7, |_| {}).await;
    let mut none = options(&board);
    none.credentials = None;
    let error = Bmc::new(none).unwrap().power().await.unwrap_err();
    assert!(matches!(error, Error::NoCredentials { .. }), "{error}");
}

#[tokio::test]
async fn a_kept_token_saves_the_login_and_a_stale_one_does_no_harm() {
    let (board, dir) = board(Profile::V2_3_7, |_| {}).await;
    let mut kept = options(&board);
    kept.token_file = Some(dir.path().join("token"));
    Bmc::new(kept.clone()).unwrap().power().await.unwrap();
    let mut without = kept.clone();
    without.credentials = None;
    Bmc::new(without).unwrap().power().await.unwrap();
    board.restart_daemon();
    for _ in 0..10 {
        Bmc::new(kept.clone()).unwrap().power().await.unwrap();
    }
}

#[tokio::test]
async fn plain_http_leads_to_https_and_takes_no_password_along() {
    let (board, _dir) = board(Profile::V2_3_7, |o| {
        o.listen_plain = Some("127.0.0.1:0".parse().unwrap());
    })
    .await;
    let mut plain = options(&board);
    plain.endpoint = format!("http://{}", board.plain_address().unwrap())
        .parse()
        .unwrap();
    let bmc = Bmc::new(plain).unwrap();
    bmc.power().await.unwrap();
    bmc.power().await.unwrap();
    let (in_plain, secure): (Vec<_>, Vec<_>) = board.requests().into_iter().partition(|r| r.plain);
    // a look, once, with nothing in it that anybody may not read
    let [look] = &in_plain[..] else {
        panic!("{in_plain:?}");
    };
    assert!(
        !look.authorized && look.length == 0 && look.method == "GET",
        "{look:?}"
    );
    let calls: Vec<_> = secure.iter().map(Seen::call).collect();
    assert_eq!(calls, ["/api/bmc/authenticate", "get power", "get power"]);
}
