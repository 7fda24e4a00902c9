// SPDX-License-Identifier: Apache-2.0
//! [`exit_on_damage`]: what a program says when the system stops it inside of a damaged file.
//!
//! LMDB trusts its pages, as [`super::pages`] tells, and a file that is cut short while it is mapped cannot be read at all.
//! The system answers with SIGSEGV or SIGBUS; LMDB itself, or the allocator after a write by a garbled page, with SIGABRT.
//! Each thread notes which file it is working on ([`Working`]). A signal without such a note goes to the handler that was
//! there before, which is Rust's own for stacks that overflow.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering, compiler_fence};

/// The signals, and what was done about each before.
static SIGNALS: [(c_int, OnceLock<libc::sigaction>); 3] = [
    (libc::SIGSEGV, OnceLock::new()),
    (libc::SIGBUS, OnceLock::new()),
    (libc::SIGABRT, OnceLock::new()),
];

/// A fault so far below where the work began is of a stack that overflows.
const STACK: usize = 64 << 20;

thread_local! {
    static WORK: Cell<*const Working<'static>> = const { Cell::new(ptr::null()) };
}

/// The note that this thread works on a file, for as long as it lives. It must not be moved, so it is only lent to a closure.
pub(super) struct Working<'p> {
    path: &'p Path,
    /// What the thread was working on before.
    outer: *const Working<'static>,
    thread: PhantomData<*const ()>,
}

impl Working<'_> {
    /// Does some work on a file.
    pub(super) fn on<T>(path: &Path, work: impl FnOnce() -> T) -> T {
        let note = Working {
            path,
            outer: WORK.get(),
            thread: PhantomData,
        };
        WORK.set((&raw const note).cast());
        // the handler reads it in the middle of the work, which the compiler cannot see
        compiler_fence(Ordering::SeqCst);
        let done = work();
        compiler_fence(Ordering::SeqCst);
        drop(note);
        done
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        WORK.set(self.outer);
    }
}

/// From now on the process ends with exit code 1 and an error on standard error, not by a signal, when the file of a store
/// turns out to be damaged while it is used. What the process has buffered is lost, as it is at a signal.
///
/// It changes what the whole process does about SIGSEGV, SIGBUS and SIGABRT, so it is for a program to call, not for a
/// library. Those that have nothing to do with a store go to the handlers that were there. On Windows it does nothing.
///
/// # Examples
/// ```
/// # let directory = tempfile::tempdir().unwrap();
/// k1s_store::exit_on_damage();
/// let store = k1s_store::open(directory.path(), k1s_store::Options::default())?;
/// # Ok::<(), k1s_store::Error>(())
/// ```
pub fn exit_on_damage() {
    for (signal, before) in &SIGNALS {
        before.get_or_init(|| install(*signal));
    }
}

/// Gives what was done about the signal before.
#[expect(unsafe_code, reason = "handlers of signals are installed with C alone")]
fn install(signal: c_int) -> libc::sigaction {
    let mut old = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the structures live until the call returns; zeros are a valid empty mask; the handler calls nothing but what may
    // be called from one. It may run before this function has returned, and then finds no old action: `chain` knows that.
    unsafe {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_signal;
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigaction(signal, &raw const action, old.as_mut_ptr());
        old.assume_init()
    }
}

#[expect(unsafe_code, reason = "the system hands over raw pointers")]
extern "C" fn on_signal(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let work = WORK.get();
    if !work.is_null() {
        // SAFETY: the note is on the stack of this very thread, which waits for this handler. The system gives a valid
        // structure to a handler with SA_SIGINFO, and a fault, which has a positive code, has an address.
        let (path, fault) = unsafe {
            let fault = ((*info).si_code > 0).then(|| (*info).si_addr() as usize);
            ((*work).path, fault)
        };
        let stack = work as usize;
        let ours = match fault {
            Some(address) => !(stack.saturating_sub(STACK)..stack).contains(&address),
            // A fault that somebody only sent is nobody's.
            None => signal == libc::SIGABRT,
        };
        if ours {
            end(path);
        }
        // the handler that is there may abort
        WORK.set(ptr::null());
    }
    chain(signal, info, context);
}

/// Says that the file is damaged, once, and ends the process.
fn end(path: &Path) -> ! {
    static ENDING: AtomicBool = AtomicBool::new(false);
    if !ENDING.swap(true, Ordering::SeqCst) {
        say(b"error: the store in ");
        say(path.as_os_str().as_bytes());
        say(b" is damaged: a page of data.mdb is garbled, or the file was cut short\nhint: `k1s store check` says where; restore it from a backup\n");
    }
    exit();
}

#[expect(
    unsafe_code,
    reason = "write is one of the calls that a handler may make"
)]
fn say(mut text: &[u8]) {
    while !text.is_empty() {
        // SAFETY: the pointer and the length are those of a slice.
        let written = unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
        match usize::try_from(written)
            .ok()
            .and_then(|n| text.get(n.max(1)..))
        {
            Some(rest) => text = rest,
            None => return,
        }
    }
}

#[expect(
    unsafe_code,
    reason = "what else runs at an exit must not run in a handler"
)]
fn exit() -> ! {
    // SAFETY: it ends the process at once.
    unsafe { libc::_exit(1) }
}

/// Hands the signal to the handler that was there before.
#[expect(unsafe_code, reason = "an address that C calls a function")]
fn chain(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let before = SIGNALS.iter().find(|(number, _)| *number == signal);
    let action = before
        .and_then(|(_, before)| before.get())
        .filter(|old| ![libc::SIG_DFL, libc::SIG_IGN].contains(&old.sa_sigaction));
    // SAFETY: the address is that of a handler which was installed with these flags, so it has this type.
    unsafe {
        match action {
            Some(old) if old.sa_flags & libc::SA_SIGINFO != 0 => {
                let handler = std::mem::transmute::<
                    usize,
                    extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void),
                >(old.sa_sigaction);
                handler(signal, info, context);
            }
            Some(old) => {
                let handler = std::mem::transmute::<usize, extern "C" fn(c_int)>(old.sa_sigaction);
                handler(signal);
            }
            None => {
                libc::signal(signal, libc::SIG_DFL);
                libc::raise(signal);
            }
        }
    }
}
