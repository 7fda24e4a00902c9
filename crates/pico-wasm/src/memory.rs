// SPDX-License-Identifier: Apache-2.0
//! Memory of the interpreter: counted for each container, and refused beyond its limit.
//!
//! The interpreter takes memory in two ways. Linear memory comes through an allocator object, which counts by itself.
//! Everything else (translated code, stack, tables) comes through two functions with fixed names, without a word for
//! whom; all of it is taken while a module is loaded, so the loader names the account for that time ([`loading`]).
//!
//! All unsafe code of the crate is here: two calls of the global allocator with the layouts they were made with, and a
//! view of a buffer that outlives it.
#![expect(
    unsafe_code,
    reason = "spacewasm takes memory through C functions and reads modules through raw buffers"
)]

use alloc::alloc::{alloc, dealloc, realloc};
use alloc::rc::Rc;
use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::{self, NonNull};

use pico_eci::{Blob, BlobError, Digest, Hasher};
use spacewasm::{AllocError, InnerVec, WasmMemoryAllocator, WasmStream};

/// What one container has taken, in bytes.
#[derive(Debug)]
pub(crate) struct Account {
    limit: usize,
    used: Cell<usize>,
    peak: Cell<usize>,
    exceeded: Cell<bool>,
    /// Bytes that growing memory has cleared or moved since the last look.
    moved: Cell<usize>,
}

impl Account {
    pub(crate) fn new(limit: usize) -> Rc<Self> {
        Rc::new(Self {
            limit,
            used: Cell::new(0),
            peak: Cell::new(0),
            exceeded: Cell::new(false),
            moved: Cell::new(0),
        })
    }

    pub(crate) fn used(&self) -> usize {
        self.used.get()
    }

    pub(crate) fn peak(&self) -> usize {
        self.peak.get()
    }

    /// Whether more was asked for than the limit allows.
    pub(crate) fn exceeded(&self) -> bool {
        self.exceeded.get()
    }

    /// Bytes moved or cleared since the last call.
    #[inline]
    pub(crate) fn take_moved(&self) -> usize {
        self.moved.take()
    }

    fn take(&self, bytes: usize) -> bool {
        match self.used.get().checked_add(bytes) {
            Some(used) if used <= self.limit => {
                self.used.set(used);
                self.peak.set(self.peak.get().max(used));
                true
            }
            _ => {
                self.exceeded.set(true);
                false
            }
        }
    }

    fn give(&self, bytes: usize) {
        self.used.set(self.used.get().saturating_sub(bytes));
    }
}

// A board runs its containers on one core and a host may run boards on several threads, so "current" is per thread there.
#[cfg(target_os = "none")]
mod current {
    use super::Account;
    use core::cell::RefCell;

    use alloc::rc::Rc;

    struct OneCore(RefCell<Option<Rc<Account>>>);
    // SAFETY: modules are loaded on one core only, and never from an interrupt; nothing else touches the cell.
    unsafe impl Sync for OneCore {}
    static CURRENT: OneCore = OneCore(RefCell::new(None));

    pub(super) fn with<T>(f: impl FnOnce(&RefCell<Option<Rc<Account>>>) -> T) -> T {
        f(&CURRENT.0)
    }
}

#[cfg(not(target_os = "none"))]
mod current {
    use super::Account;
    use core::cell::RefCell;

    use alloc::rc::Rc;

    std::thread_local! {
        static CURRENT: RefCell<Option<Rc<Account>>> = const { RefCell::new(None) };
    }

    pub(super) fn with<T>(f: impl FnOnce(&RefCell<Option<Rc<Account>>>) -> T) -> T {
        CURRENT.with(f)
    }
}

/// Counts what the interpreter takes while `load` runs on `account`.
pub(crate) fn loading<T>(account: &Rc<Account>, load: impl FnOnce() -> T) -> T {
    current::with(|current| current.replace(Some(Rc::clone(account))));
    let result = load();
    current::with(|current| current.replace(None));
    result
}

fn charge(bytes: usize) -> bool {
    current::with(|current| {
        current
            .borrow()
            .as_ref()
            .is_none_or(|account| account.take(bytes))
    })
}

fn refund(bytes: usize) {
    current::with(|current| {
        if let Some(account) = current.borrow().as_ref() {
            account.give(bytes);
        }
    });
}

#[unsafe(no_mangle)]
extern "C" fn __spacewasm_alloc(size: usize, align: usize, error: *mut u32) -> *mut u8 {
    let refused: u32 = AllocError::OutOfMemory.into();
    let pointer = match Layout::from_size_align(size, align) {
        Ok(layout) if layout.size() == 0 => return ptr::without_provenance_mut(align),
        Ok(layout) if charge(layout.size()) => {
            // SAFETY: the layout is not empty.
            let pointer = unsafe { alloc(layout) };
            if pointer.is_null() {
                refund(layout.size());
            }
            pointer
        }
        _ => ptr::null_mut(),
    };
    if pointer.is_null() && !error.is_null() {
        // SAFETY: the interpreter passes the address of a variable of its own.
        unsafe { error.write(refused) };
    }
    pointer
}

#[unsafe(no_mangle)]
extern "C" fn __spacewasm_dealloc(pointer: *mut u8, size: usize, align: usize) {
    if size == 0 || pointer.is_null() {
        return;
    }
    if let Ok(layout) = Layout::from_size_align(size, align) {
        refund(layout.size());
        // SAFETY: the interpreter gives back what it got above, with the same size and alignment.
        unsafe { dealloc(pointer, layout) };
    }
}

/// Linear memory of one container.
pub(crate) struct LinearMemory(pub(crate) Rc<Account>);

impl WasmMemoryAllocator for LinearMemory {
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if layout.size() == 0 || !self.0.take(layout.size()) {
            return Err(AllocError::OutOfMemory);
        }
        self.0.moved.set(self.0.moved.get() + layout.size());
        // SAFETY: the layout is not empty.
        NonNull::new(unsafe { alloc(layout) }).ok_or_else(|| {
            self.0.give(layout.size());
            self.0.exceeded.set(true);
            AllocError::OutOfMemory
        })
    }

    fn reallocate(
        &self,
        memory: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        let more = new.size().saturating_sub(old.size());
        if new.size() == 0 || old.align() != new.align() || !self.0.take(more) {
            return Err(AllocError::OutOfMemory);
        }
        self.0.moved.set(self.0.moved.get() + new.size());
        // SAFETY: `memory` came from `allocate` or here with `old`, whose alignment is the same, and the size is not 0.
        NonNull::new(unsafe { realloc(memory.as_ptr(), old, new.size()) }).ok_or_else(|| {
            self.0.give(more);
            self.0.exceeded.set(true);
            AllocError::OutOfMemory
        })
    }

    fn deallocate(&self, memory: NonNull<u8>, layout: Layout) {
        if layout.size() > 0 {
            self.0.give(layout.size());
            // SAFETY: the interpreter gives back what it got from this allocator.
            unsafe { dealloc(memory.as_ptr(), layout) };
        }
    }
}

/// A module on its way from flash to the interpreter, in pieces of 256 bytes, with its digest.
pub(crate) struct Stream<'a> {
    module: &'a mut dyn Blob,
    offset: u32,
    buffer: alloc::boxed::Box<[u8; 256]>,
    hash: Hasher,
    error: Option<BlobError>,
}

impl<'a> Stream<'a> {
    pub(crate) fn new(module: &'a mut dyn Blob) -> Self {
        Self {
            module,
            offset: 0,
            buffer: alloc::boxed::Box::new([0; 256]),
            hash: Hasher::new(),
            error: None,
        }
    }

    /// The module's length in bytes.
    pub(crate) fn len(&self) -> u32 {
        self.module.len()
    }

    /// The digest of everything that was read, or why reading failed.
    pub(crate) fn finish(self) -> Result<Digest, BlobError> {
        self.error.map_or_else(|| Ok(self.hash.finish()), Err)
    }
}

impl WasmStream for Stream<'_> {
    fn read(&mut self) -> Result<Option<InnerVec<u8>>, u8> {
        let length = self.module.len().saturating_sub(self.offset).min(256);
        if length == 0 {
            return Ok(None);
        }
        let piece = &mut self.buffer[..length as usize];
        if let Err(error) = self.module.read(self.offset, piece) {
            self.error = Some(error);
            return Err(1);
        }
        self.hash.update(piece);
        self.offset += length;
        // SAFETY: the buffer is on the heap and lives as long as the stream, which outlives the reader that borrows it;
        // the first `length` of its 256 bytes are initialized, and it is not touched before the reader asks for more.
        Ok(Some(unsafe {
            InnerVec::from_raw_parts(self.buffer.as_mut_ptr(), 256, length as usize)
        }))
    }

    fn return_(&mut self, _chunk: InnerVec<u8>) {}
}
