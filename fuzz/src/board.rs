// SPDX-License-Identifier: Apache-2.0
//! The same for what comes into a simulated module: scripts for its shell, and packets of a file transfer.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use turingpi_host::{
    Alone, Ask, Hardware, Host, Image, Machine, Nvme, Parts, Power, Stream, Waiting, run, sftp,
};

/// The longest script in bytes: what it does is bounded, too, but may take a second.
const SCRIPT_BYTES: usize = 2048;

/// A module whose time passes as it is slept, before somebody who sends nothing and looks at nothing.
struct Bench(Mutex<Machine>);

impl Host for Bench {
    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep(&self, time: Duration) -> Waiting<'_, ()> {
        let mut machine = self.machine();
        machine.now = machine.now.saturating_add(time);
        Box::pin(std::future::ready(()))
    }

    fn pause(&self) -> Waiting<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn spawn(&self, mut job: Waiting<'static, ()>) {
        let _ = job.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }

    fn power(&self, _power: Power) {}

    fn write(&self, _stream: Stream, _bytes: &[u8]) {}

    fn read(&self) -> Waiting<'_, Option<Vec<u8>>> {
        Box::pin(std::future::ready(None))
    }

    fn echo(&self, _on: bool) {}

    fn interrupted(&self) -> bool {
        false
    }
}

/// The same module each time.
fn machine() -> Machine {
    let parts = Parts {
        hardware: Hardware {
            model: "Turing Machines RK1".into(),
            short: "rk1".into(),
            slot: 1,
            cores: 8,
            memory_kib: 16 << 20,
            emmc_bytes: 32 << 30,
            nvme_bytes: 500 << 30,
        },
        image: Image::read(b"os: Testix 1.0\n").expect("an image that boots"),
        emmc: None,
        nvme: Nvme::default(),
        seed: [7; 32],
        now: Duration::from_secs(1_750_000_000),
    };
    Machine::new(parts, Box::new(Alone::default()))
}

/// A script is read and run to its end, whatever it is; the module is there afterwards.
pub fn shell(data: &[u8]) {
    let text = String::from_utf8_lossy(&data[..data.len().min(SCRIPT_BYTES)]).into_owned();
    let bench = Arc::new(Bench(Mutex::new(machine())));
    let ends = |script: &str| {
        let ask = Ask::Command(script.to_owned());
        let session = pin!(run(bench.clone(), "root", &ask));
        match session.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(code) => code,
            Poll::Pending => panic!("a session waits for nobody"),
        }
    };
    assert!((0..256).contains(&ends(&text)));
    ends(":");
}

/// A file transfer answers the same wherever the link cuts what comes. The first byte says how long a piece is.
pub fn sftp(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let step = usize::from(*first % 16) + 1;
    assert_eq!(transfer(bytes, step), transfer(bytes, bytes.len().max(1)));
}

/// All that is answered; or why it is no SFTP, and what was answered before counts no more.
fn transfer(bytes: &[u8], step: usize) -> Result<Vec<u8>, sftp::Broken> {
    let mut machine = machine();
    let mut server = sftp::Server::new(&machine, "root");
    let mut answers = Vec::new();
    for piece in bytes.chunks(step) {
        answers.extend(server.receive(&mut machine, piece)?);
    }
    Ok(answers)
}
