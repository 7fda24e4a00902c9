// SPDX-License-Identifier: Apache-2.0
//! Restarts of the daemon and of the BMC.

use std::time::Duration;

use turingpi_bmc::{Error, Slot};
use turingpi_sim::{Fault, Profile, Seen};

use crate::{board, client, until};

const LONG: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_restart_is_waited_for_with_a_new_login() {
    let (board, _dir) = board(Profile::V2_3_7, |_| {}).await;
    let bmc = client(&board);
    bmc.set_power(&[(Slot::ALL[0], true)]).await.unwrap();
    bmc.reload().await.unwrap();
    bmc.wait_ready(LONG).await.unwrap();
    assert_eq!(board.daemon(), 2);
    assert!(
        board.has_power(1),
        "a restart of the daemon leaves modules alone"
    );
    bmc.reboot(false).await.unwrap();
    bmc.wait_ready(LONG).await.unwrap();
    assert_eq!(board.daemon(), 3);
    assert!(!board.has_power(1), "a restart of the BMC does not");
    // no failed call counted towards a ban
    let other = client(&board);
    other.power().await.unwrap();
}

#[tokio::test]
async fn an_old_daemon_that_goes_on_answering_is_not_taken_for_the_new_one() {
    for reboot in [false, true] {
        let (board, _dir) = board(Profile::V2_3_7, |o| o.faults.push(Fault::Lingers)).await;
        let bmc = client(&board);
        let begin = async || match reboot {
            true => bmc.reboot(false).await,
            false => bmc.reload().await,
        };
        begin().await.unwrap();
        let before = board.requests().len();
        let waiting = {
            let bmc = bmc.clone();
            tokio::spawn(async move { bmc.wait_ready(LONG).await })
        };
        until(async || board.requests().len() >= before + 3 || waiting.is_finished()).await;
        assert!(
            !waiting.is_finished(),
            "the old daemon is taken for the new one"
        );
        assert_eq!(board.daemon(), 1);
        let calls: Vec<_> = board.requests()[before..].iter().map(Seen::call).collect();
        assert!(calls.iter().all(|c| c == "get power"), "{calls:?}");
        board.end_fault(&Fault::Lingers);
        waiting.await.unwrap().unwrap();
        assert_eq!(board.daemon(), 2);
        // the new one has refused the old session once, and no more
        let refused = board.requests()[before..]
            .iter()
            .filter(|r| r.call() == "/api/bmc/authenticate")
            .count();
        assert_eq!(refused, 1, "one login");
        bmc.power().await.unwrap();
    }
}

#[tokio::test]
async fn a_daemon_that_does_not_restart_is_told_as_such() {
    let (board, _dir) = board(Profile::V2_3_7, |o| o.faults.push(Fault::Lingers)).await;
    let bmc = client(&board);
    bmc.reload().await.unwrap();
    let error = bmc.wait_ready(Duration::from_millis(1)).await.unwrap_err();
    assert!(matches!(error, Error::StillOld { .. }), "{error}");
    assert!(
        error.to_string().contains("its old daemon still answers"),
        "{error}"
    );
}

#[tokio::test]
async fn a_board_without_logins_must_have_been_away() {
    // ten seconds away, looked at each second
    let (board, _dir) = board(Profile::V1, |o| {
        o.faults.push(Fault::Lingers);
        o.speed = 2.0;
    })
    .await;
    let bmc = client(&board);
    bmc.reboot(false).await.unwrap();
    let before = board.requests().len();
    let waiting = {
        let bmc = bmc.clone();
        tokio::spawn(async move { bmc.wait_ready(LONG).await })
    };
    until(async || board.requests().len() >= before + 2 || waiting.is_finished()).await;
    assert!(!waiting.is_finished());
    board.end_fault(&Fault::Lingers);
    waiting.await.unwrap().unwrap();
    assert_eq!(board.daemon(), 2);
}
