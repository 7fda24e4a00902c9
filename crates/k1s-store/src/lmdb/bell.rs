// SPDX-License-Identifier: Apache-2.0
//! [`Bell`]: how processes tell each other that something was committed.
//!
//! Watching processes wait for changes of a small file, which every process that commits writes a
//! byte to. It is there once anyone has watched; a store that nobody watches has none, and writers
//! lose no time.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;

use crate::engine::Heard;
use crate::error::Result;
use crate::lmdb::directory::{create_private, failed};

/// How long a process sleeps at most. A writer that dies between commit and ring is the only thing
/// that this is for.
#[cfg(target_os = "linux")]
const LONGEST_SLEEP: rustix::event::Timespec = rustix::event::Timespec {
    tv_sec: 5,
    tv_nsec: 0,
};

/// The file `bell` of a store.
pub(super) struct Bell {
    path: PathBuf,
    file: OnceLock<File>,
}

impl Bell {
    pub(super) fn new(directory: &Path) -> Self {
        Self {
            path: directory.join("bell"),
            file: OnceLock::new(),
        }
    }

    /// Wakes the processes that listen.
    pub(super) fn ring(&self) {
        if let Some(file) = self.file.get() {
            strike(file);
        } else if let Ok(file) = OpenOptions::new().write(true).open(&self.path) {
            strike(self.file.get_or_init(|| file));
        }
    }

    /// Calls `heard` in a thread whenever the bell was rung, until it breaks or the listener is gone.
    pub(super) fn listen(&self, heard: Heard) -> Result<Listener> {
        if !self.path.exists() {
            match create_private(&self.path, false) {
                Ok(_) => {}
                // Without the file changes are still found, only later.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
                    ) => {}
                Err(error) => return Err(failed("create", &self.path, error)),
            }
        }
        let (listener, mut sleeper) =
            sleeper(&self.path).map_err(|error| failed("watch", &self.path, error))?;
        thread::Builder::new()
            .name("k1s-store-bell".to_owned())
            .spawn(move || {
                while heard() == ControlFlow::Continue(())
                    && sleeper.sleep() == ControlFlow::Continue(())
                {}
            })
            .map_err(|error| failed("watch", &self.path, error))?;
        Ok(listener)
    }
}

/// What is in the file does not matter, that it is written to does.
#[cfg(unix)]
fn strike(file: &File) {
    use std::os::unix::fs::FileExt;
    // A bell that cannot be rung is no reason to fail a write that is done.
    let _ = file.write_at(b"!", 0);
}

#[cfg(not(unix))]
fn strike(_file: &File) {}

#[cfg(target_os = "linux")]
mod system {
    //! The kernel tells when the file is written to.

    use std::io::{self, PipeReader, PipeWriter};
    use std::mem::MaybeUninit;
    use std::ops::ControlFlow;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
    use rustix::io::Errno;

    /// Ends the thread when it is dropped.
    pub(crate) struct Listener {
        _alive: PipeWriter,
    }

    pub(super) struct Sleeper {
        inotify: OwnedFd,
        ended: PipeReader,
    }

    pub(super) fn sleeper(path: &Path) -> io::Result<(Listener, Sleeper)> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        match inotify::add_watch(&inotify, path, WatchFlags::MODIFY) {
            Ok(_) | Err(Errno::NOENT | Errno::ACCESS) => {}
            Err(error) => return Err(error.into()),
        }
        let (ended, alive) = io::pipe()?;
        Ok((Listener { _alive: alive }, Sleeper { inotify, ended }))
    }

    impl Sleeper {
        pub(super) fn sleep(&mut self) -> ControlFlow<()> {
            let mut waiting = [
                PollFd::new(&self.inotify, PollFlags::IN),
                PollFd::new(&self.ended, PollFlags::IN),
            ];
            match poll(&mut waiting, Some(&super::LONGEST_SLEEP)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return ControlFlow::Break(()),
            }
            if !waiting[1].revents().is_empty() {
                return ControlFlow::Break(());
            }
            let mut buffer = [MaybeUninit::uninit(); 1024];
            let mut events = inotify::Reader::new(&self.inotify, &mut buffer);
            while events.next().is_ok() {}
            ControlFlow::Continue(())
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    //! Without a portable way to be told, a look now and then.

    use std::io;
    use std::ops::ControlFlow;
    use std::path::Path;
    use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
    use std::time::Duration;

    /// Ends the thread when it is dropped.
    pub(crate) struct Listener {
        _alive: Sender<()>,
    }

    pub(super) struct Sleeper {
        ended: Receiver<()>,
    }

    pub(super) fn sleeper(_path: &Path) -> io::Result<(Listener, Sleeper)> {
        let (alive, ended) = mpsc::channel();
        Ok((Listener { _alive: alive }, Sleeper { ended }))
    }

    impl Sleeper {
        pub(super) fn sleep(&mut self) -> ControlFlow<()> {
            match self.ended.recv_timeout(Duration::from_millis(20)) {
                Err(RecvTimeoutError::Timeout) => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        }
    }
}

pub(super) use system::Listener;
use system::sleeper;
