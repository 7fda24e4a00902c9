// SPDX-License-Identifier: Apache-2.0
//! The board's turn: what two must not do to it at once, one does after the other.
//!
//! A second transfer silently ends the first, and so does a power switch, the USB switch or a restart in its middle. Who does something to
//! a board holds a lock file and says in it what; others wait or are refused, unless it is nothing to them. Transfers of one process
//! wait in a fair queue. The lock file lies in the user's runtime directory as long as somebody holds it; another machine is not kept out by it, which is why the
//! board's own state is looked at as well.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use crate::endpoint::{Endpoint, WhenBusy};
use crate::error::{Error, Result};
use crate::slot::Slot;

/// How often a lock is tried.
const AGAIN: Duration = Duration::from_millis(50);
/// The longest line of a lock file that is read, in bytes.
const LINE: u64 = 256;

/// The transfers of this process that wait, by board.
static TRANSFERS: LazyLock<Mutex<HashMap<String, Arc<Turn<()>>>>> = LazyLock::new(Mutex::default);

/// Parts of a board that something needs for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts(u8);

impl Parts {
    /// The USB switch and the recovery pins.
    pub(crate) const USB: Self = Self(1 << 4);
    /// The daemon itself, and the way to it.
    pub(crate) const DAEMON: Self = Self(1 << 5);
    /// Everything.
    pub(crate) const ALL: Self = Self(0x3f);

    /// A module and its power.
    pub(crate) fn slot(slot: Slot) -> Self {
        Self(1 << slot.index())
    }

    /// What a transfer needs: into a module its slot and the switch, and in any case the daemon.
    pub(crate) fn of_transfer(slot: Option<Slot>) -> Self {
        slot.map_or(Self::DAEMON, |s| Self::slot(s) | Self::USB | Self::DAEMON)
    }

    /// What the transfer of another client needs, by the daemon's name for it: `Node 1 os install service`.
    pub(crate) fn of_process(process: &str) -> Self {
        let number = process.strip_prefix("Node ").and_then(|p| p.get(..1));
        match number.map(str::parse) {
            Some(Ok(slot)) => Self::of_transfer(Some(slot)),
            Some(Err(_)) => Self::ALL,
            None => Self::of_transfer(None),
        }
    }

    pub(crate) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl std::ops::BitOr for Parts {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Something that is done to a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    /// In words, as "flashing slot 1".
    pub(crate) what: String,
    pub(crate) parts: Parts,
    /// Takes minutes: others are told instead of kept waiting, if they like that better.
    pub(crate) long: bool,
}

impl Work {
    pub(crate) fn call(what: &str, parts: Parts) -> Self {
        Self {
            what: what.to_owned(),
            parts,
            long: false,
        }
    }

    pub(crate) fn long(what: String, parts: Parts) -> Self {
        Self {
            what,
            parts,
            long: true,
        }
    }

    /// A line of a lock file: `PID PARTS long|call WHAT`.
    fn line(&self) -> String {
        let kind = if self.long { "long" } else { "call" };
        let what: String = self.what.chars().filter(|c| !c.is_control()).collect();
        format!("{} {} {kind} {what}\n", std::process::id(), self.parts.0)
    }

    /// Reads such a line, and whose it is.
    fn read(line: &str) -> Option<(u32, Self)> {
        let mut words = line.trim_end().splitn(4, ' ');
        let pid = words.next()?.parse().ok()?;
        let parts = Parts(words.next()?.parse().ok()?);
        let long = match words.next()? {
            "long" => true,
            "call" => false,
            _ => return None,
        };
        let what = words.next()?.to_owned();
        Some((pid, Self { what, parts, long }))
    }
}

/// A right to do something to a board; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    /// Unlocked when it is closed.
    file: File,
    path: PathBuf,
    _turn: Option<OwnedMutexGuard<()>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        // while it is still locked: whoever waits for it finds it gone then, and looks for the one that is there
        let _ = self.file.set_len(0);
        let _ = std::fs::remove_file(&self.path);
    }
}

fn lock_file(endpoint: &Endpoint) -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let dir = runtime
        .filter(|dir| dir.is_dir())
        .unwrap_or_else(std::env::temp_dir);
    let name: String = endpoint
        .authority()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let user = rustix::process::getuid().as_raw();
    dir.join(format!("turingpi-bmc-{user}-{name}.lock"))
}

/// What becomes of work while somebody else holds the board.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It does not concern the other.
    Pass,
    Wait,
    Refuse(String),
}

fn judge(work: &Work, holder: Option<(u32, Work)>, when_busy: WhenBusy) -> Verdict {
    // whoever has just locked it has not written yet
    let Some((pid, other)) = holder else {
        return Verdict::Wait;
    };
    if !work.parts.meets(other.parts) {
        return Verdict::Pass;
    }
    // two transfers take turns, and what is over in a moment is waited for
    if work.long || !other.long || when_busy == WhenBusy::Wait {
        return Verdict::Wait;
    }
    let who = if pid == std::process::id() {
        "this process".to_owned()
    } else {
        format!("process {pid}")
    };
    Verdict::Refuse(format!("{who} is {}", other.what))
}

/// Waits for the right to do something to a board; none is needed for what does not concern the one who holds it. `waiting` is called
/// once if somebody is waited for.
pub(crate) async fn place(
    endpoint: &Endpoint,
    work: &Work,
    when_busy: WhenBusy,
    mut waiting: impl FnMut(),
) -> Result<Option<Place>> {
    let mut told = false;
    let mut tell = || {
        if !std::mem::replace(&mut told, true) {
            waiting();
        }
    };
    let turn = if work.long {
        let turn = {
            let mut transfers = TRANSFERS.lock().unwrap_or_else(PoisonError::into_inner);
            transfers.entry(endpoint.authority()).or_default().clone()
        };
        Some(match turn.clone().try_lock_owned() {
            Ok(guard) => guard,
            Err(_) => {
                tell();
                turn.lock_owned().await
            }
        })
    } else {
        None
    };
    let path = lock_file(endpoint);
    let failed = |source| Error::File {
        path: path.display().to_string(),
        source,
    };
    let mut file = open(&path).map_err(failed)?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) if is_at(&file, &path).map_err(failed)? => break,
            // its holder took it away
            Ok(()) => file = open(&path).map_err(failed)?,
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {
                let mut line = Vec::new();
                file.rewind().map_err(failed)?;
                let mut start = (&mut file).take(LINE);
                start.read_to_end(&mut line).map_err(failed)?;
                let holder = Work::read(&String::from_utf8_lossy(&line));
                match judge(work, holder, when_busy) {
                    Verdict::Pass if !work.long => return Ok(None),
                    Verdict::Refuse(holder) => {
                        return Err(Error::Busy {
                            what: work.what.clone(),
                            holder,
                        });
                    }
                    Verdict::Pass | Verdict::Wait => {
                        tell();
                        tokio::time::sleep(AGAIN).await;
                    }
                }
            }
            Err(e) => return Err(failed(e.into())),
        }
    }
    file.set_len(0)
        .and_then(|()| file.write_all(work.line().as_bytes()))
        .map_err(failed)?;
    Ok(Some(Place {
        file,
        path,
        _turn: turn,
    }))
}

fn open(path: &Path) -> std::io::Result<File> {
    File::options()
        .create(true)
        .read(true)
        .append(true)
        // the directory may be shared: no link of somebody else is followed
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .mode(0o600)
        .open(path)
}

/// Whether a path still leads to an open file.
fn is_at(file: &File, path: &Path) -> std::io::Result<bool> {
    let open = file.metadata()?;
    match std::fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (open.dev(), open.ino())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn who_waits_and_who_is_refused() {
        let slot = |n| Slot::new(n).unwrap();
        let flash = |n| {
            let parts = Parts::of_transfer(Some(slot(n)));
            Work::long(format!("flashing slot {n}"), parts)
        };
        let firmware = Work::long("flashing the BMC".into(), Parts::of_transfer(None));
        let power = |n| Work::call("power", Parts::slot(slot(n)));
        let usb = Work::call("usb", Parts::USB);
        let reload = Work::call("reload", Parts::DAEMON);
        let check = |work: &Work, holder: &Work, expected: &str| {
            let shown = match judge(work, Some((1, holder.clone())), WhenBusy::Refuse) {
                Verdict::Pass => "pass".to_owned(),
                Verdict::Wait => "wait".to_owned(),
                Verdict::Refuse(who) => who,
            };
            assert_eq!(shown, expected, "{work:?} {holder:?}");
        };
        check(&power(1), &flash(1), "process 1 is flashing slot 1");
        check(&power(2), &flash(1), "pass");
        check(&usb, &flash(1), "process 1 is flashing slot 1");
        check(&reload, &flash(1), "process 1 is flashing slot 1");
        check(&power(1), &firmware, "pass");
        check(&usb, &firmware, "pass");
        check(&reload, &firmware, "process 1 is flashing the BMC");
        check(&flash(1), &flash(2), "wait");
        check(&flash(1), &firmware, "wait");
        check(&power(1), &power(1), "wait");
        check(&power(1), &power(2), "pass");
        let waits = judge(&power(1), Some((1, flash(1))), WhenBusy::Wait);
        assert_eq!(waits, Verdict::Wait);
        // a lock whose holder has not said yet what it does
        assert_eq!(judge(&power(1), None, WhenBusy::Refuse), Verdict::Wait);
    }

    #[test]
    fn what_is_written_can_be_read() {
        let work = Work::long("flashing\nslot 1".into(), Parts::ALL);
        let (pid, read) = Work::read(&work.line()).unwrap();
        assert_eq!(pid, std::process::id());
        assert_eq!(read.what, "flashingslot 1");
        assert_eq!((read.parts, read.long), (Parts::ALL, true));
        for line in ["", "x", "1 2", "1 999 long x", "1 2 tall x", "1 2 long"] {
            assert_eq!(Work::read(line), None, "{line}");
        }
    }

    #[test]
    fn transfers_of_other_clients() {
        let check = |process: &str, expected: Parts| {
            assert_eq!(Parts::of_process(process), expected, "{process}");
        };
        let second = Parts::of_transfer(Some(Slot::ALL[1]));
        check("Node 2 os install service", second);
        check("Node 2 upgrade service", second);
        check("firmware upgrade service", Parts::DAEMON);
        check("Node 9 os install service", Parts::ALL);
        check("Node é", Parts::DAEMON);
    }

    /// Each holder takes the file away, under those who wait for it: never do two of them hold the board.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn one_at_a_time_and_no_file_stays() {
        let endpoint: Endpoint = "https://turn.invalid:4443".parse().unwrap();
        let path = lock_file(&endpoint);
        let inside = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (endpoint, inside) = (endpoint.clone(), inside.clone());
                tokio::spawn(async move {
                    let work = Work::call("power", Parts::ALL);
                    for _ in 0..3 {
                        let place = place(&endpoint, &work, WhenBusy::Wait, || {}).await;
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        // long enough for one who waits to look again
                        tokio::time::sleep(AGAIN).await;
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(place.unwrap().unwrap());
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert!(!path.exists(), "{}", path.display());
    }
}
