// SPDX-License-Identifier: Apache-2.0
//! The whole of a board's storage behind one value.

use alloc::string::String;
use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;
use pico_eci::{Blob, Digest};

use crate::crc::crc32;
use crate::error::{Error, Result};
use crate::images::{ImageReader, Images, StoredImage, blob_crc};
use crate::kv::Kv;
use crate::rolling::{LogLine, Rolling};
use crate::sectors::write_pages;
use crate::slots::{BootState, Slot, SlotImage};
use crate::{Area, Layout};

/// The longest manifest in bytes.
pub const MAX_MANIFEST_BYTES: usize = 32 * 1024;

const BOOT: &[u8] = b"boot";
const MANIFEST: &[u8] = b"m/";
const CHUNK: &[u8] = b"c/";
const CHUNK_BYTES: usize = 1024;

/// How full the areas are, in bytes, and how the flash is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Images, in whole sectors.
    pub images_used: u32,
    /// Room for images.
    pub images_capacity: u32,
    /// Manifests, configuration and directory.
    pub manifests_used: u32,
    /// Room for them.
    pub manifests_capacity: u32,
    /// Application data with its headers.
    pub data_used: u32,
    /// Room for it: what a node advertises as `ephemeral-storage`.
    pub data_capacity: u32,
    /// Logs, in whole sectors. They roll, so they are never too full.
    pub logs_used: u32,
    /// Room for logs.
    pub logs_capacity: u32,
    /// Records known to be damaged.
    pub damaged: u32,
    /// How often the most worn sector was erased; a NOR flash stands about 100 000.
    pub max_erases: u32,
}

impl Usage {
    /// Whether an area that does not roll is more than `percent` full: what makes a node say `DiskPressure`.
    #[must_use]
    pub fn above(&self, percent: u32) -> bool {
        let areas = [
            (self.images_used, self.images_capacity),
            (self.manifests_used, self.manifests_capacity),
            (self.data_used, self.data_capacity),
        ];
        areas.into_iter().any(|(used, capacity)| {
            u64::from(used) * 100 > u64::from(capacity) * u64::from(percent)
        })
    }
}

/// A board's storage. It owns the flash; everything goes through it.
#[derive(Debug)]
pub struct Storage<F> {
    flash: F,
    layout: Layout,
    images: Images,
    manifests: Kv,
    data: Kv,
    logs: Rolling,
}

impl<F: NorFlash> Storage<F> {
    /// Opens the storage of a chip, blank or not, and finishes what a power cut interrupted.
    ///
    /// # Errors
    /// [`Error::Layout`] when the chip cannot be divided, [`Error::Medium`] when the flash fails.
    pub fn open(flash: F) -> Result<Self> {
        Self::open_or_return(flash).map_err(|(_, error)| error)
    }

    /// As [`Storage::open`], but a flash that fails is given back, to be tried again.
    ///
    /// # Errors
    /// See [`Storage::open`].
    pub fn open_or_return(mut flash: F) -> core::result::Result<Self, (F, Error)> {
        let parts = Self::areas(&mut flash);
        let (layout, manifests, data, logs) = match parts {
            Ok(parts) => parts,
            Err(error) => return Err((flash, error)),
        };
        let images = Images {
            area: layout.images,
            sector: layout.sector,
        };
        let mut storage = Self {
            flash,
            layout,
            images,
            manifests,
            data,
            logs,
        };
        match storage.remove_orphans() {
            Ok(()) => Ok(storage),
            Err(error) => Err((storage.flash, error)),
        }
    }

    fn areas(flash: &mut F) -> Result<(Layout, Kv, Kv, Rolling)> {
        let layout = Layout::of(flash)?;
        let manifests = Kv::open(flash, layout.manifests, layout.sector)?;
        let data = Kv::open(flash, layout.data, layout.sector)?;
        let logs = Rolling::open(flash, layout.logs, layout.sector)?;
        Ok((layout, manifests, data, logs))
    }

    /// How the chip is divided.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The flash itself: for a simulator to cut its power.
    pub const fn flash(&mut self) -> &mut F {
        &mut self.flash
    }

    /// Gives the flash back.
    pub fn into_flash(self) -> F {
        self.flash
    }

    /// How full it is.
    ///
    /// # Errors
    /// [`Error::Medium`] when the flash fails.
    pub fn usage(&mut self) -> Result<Usage> {
        let images = self.images()?;
        Ok(Usage {
            images_used: self.images.used(&images),
            images_capacity: self.layout.images.len,
            manifests_used: self.manifests.used(),
            manifests_capacity: self.manifests.capacity(),
            data_used: self.data.used(),
            data_capacity: self.data.capacity(),
            logs_used: self.logs.used(),
            logs_capacity: self.layout.logs.len,
            damaged: self.manifests.damaged() + self.data.damaged() + self.logs.damaged(),
            max_erases: self
                .manifests
                .max_erases()
                .max(self.data.max_erases())
                .max(self.logs.max_erases()),
        })
    }

    // ---- images ----

    /// Stores a bundle under its digest and reference; one that is there already only gets the reference.
    ///
    /// # Errors
    /// [`Error::Full`] when unused images have to be removed first, [`Error::Verify`] when the flash does not hold it.
    pub fn put_image(
        &mut self,
        digest: Digest,
        reference: &str,
        bundle: &mut dyn Blob,
    ) -> Result<StoredImage> {
        self.images.put(
            &mut self.flash,
            &mut self.manifests,
            digest,
            reference,
            bundle,
        )
    }

    /// Every image.
    ///
    /// # Errors
    /// [`Error::Medium`] when the flash fails.
    pub fn images(&mut self) -> Result<Vec<StoredImage>> {
        self.images.list(&mut self.flash, &mut self.manifests)
    }

    /// An image by digest.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Damaged`] when its entry is.
    pub fn image(&mut self, digest: &Digest) -> Result<StoredImage> {
        self.images
            .find(&mut self.flash, &mut self.manifests, digest)
    }

    /// The newest image with this reference.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn image_by_reference(&mut self, reference: &str) -> Result<StoredImage> {
        let images = self.images()?;
        let named = images
            .into_iter()
            .filter(|image| image.reference == reference);
        named
            .max_by_key(|image| image.serial)
            .ok_or(Error::NotFound)
    }

    /// An image's bundle, after it was compared with its CRC; whoever starts it verifies digests and signature as well.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub fn open_image(&mut self, image: &StoredImage) -> Result<ImageReader<'_, F>> {
        self.images.check(&mut self.flash, image)?;
        Ok(ImageReader {
            flash: &mut self.flash,
            address: image.address,
            len: image.len,
        })
    }

    /// Removes an image.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn remove_image(&mut self, digest: &Digest) -> Result<()> {
        self.images
            .remove(&mut self.flash, &mut self.manifests, digest)
    }

    /// Removes the images that `in_use` does not name, the oldest first, until `wanted_bytes` are free. Returns how many.
    ///
    /// # Errors
    /// [`Error::Medium`] when the flash fails.
    pub fn collect_images(&mut self, in_use: &[Digest], wanted_bytes: u32) -> Result<u32> {
        let mut images = self.images()?;
        images.sort_unstable_by_key(|image| image.serial);
        let mut removed = 0;
        while self.layout.images.len - self.images.used(&images) < wanted_bytes {
            let Some(position) = images
                .iter()
                .position(|image| !in_use.contains(&image.digest))
            else {
                break;
            };
            self.remove_image(&images[position].digest)?;
            images.remove(position);
            removed += 1;
        }
        Ok(removed)
    }

    // ---- manifests ----

    /// Saves a manifest under a name of at most 128 bytes; the one before it is there until the new one is.
    ///
    /// # Errors
    /// [`Error::TooLarge`] above [`MAX_MANIFEST_BYTES`], [`Error::Full`].
    pub fn save_manifest(&mut self, name: &str, manifest: &[u8]) -> Result<()> {
        if name.is_empty() || name.len() > 128 || manifest.len() > MAX_MANIFEST_BYTES {
            return Err(Error::TooLarge);
        }
        let key = [MANIFEST, name.as_bytes()].concat();
        let before = match self.manifests.get(&mut self.flash, &key) {
            Ok(value) => Head::decode(&value),
            Err(Error::NotFound | Error::Damaged) => None,
            Err(error) => return Err(error),
        };
        if manifest.len() <= CHUNK_BYTES {
            self.manifests
                .put(&mut self.flash, &key, &[b"\0", manifest].concat())?;
        } else {
            let generation = before.map_or(1, |head| head.generation.wrapping_add(1));
            let chunks = manifest.chunks(CHUNK_BYTES);
            let head = Head {
                generation,
                chunks: chunks.len() as u16,
                crc: crc32(manifest),
            };
            for (index, chunk) in chunks.enumerate() {
                self.manifests.put(
                    &mut self.flash,
                    &chunk_key(name, generation, index as u16),
                    chunk,
                )?;
            }
            self.manifests.put(&mut self.flash, &key, &head.encode())?;
        }
        self.remove_chunks(name, before)
    }

    /// A manifest.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Damaged`].
    pub fn load_manifest(&mut self, name: &str) -> Result<Vec<u8>> {
        let value = self
            .manifests
            .get(&mut self.flash, &[MANIFEST, name.as_bytes()].concat())?;
        let Some(head) = Head::decode(&value) else {
            return value
                .split_first()
                .map(|(_, manifest)| manifest.to_vec())
                .ok_or(Error::Damaged);
        };
        let mut manifest = Vec::new();
        for index in 0..head.chunks {
            let chunk = self
                .manifests
                .get(&mut self.flash, &chunk_key(name, head.generation, index));
            manifest.extend(chunk.map_err(|error| {
                if error == Error::NotFound {
                    Error::Damaged
                } else {
                    error
                }
            })?);
        }
        if crc32(&manifest) == head.crc {
            Ok(manifest)
        } else {
            Err(Error::Damaged)
        }
    }

    /// Removes a manifest.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn remove_manifest(&mut self, name: &str) -> Result<()> {
        let key = [MANIFEST, name.as_bytes()].concat();
        let head = match self.manifests.get(&mut self.flash, &key) {
            Ok(value) => Head::decode(&value),
            Err(Error::Damaged) => None,
            Err(error) => return Err(error),
        };
        self.manifests.remove(&mut self.flash, &key)?;
        self.remove_chunks(name, head)
    }

    /// The names of all manifests.
    ///
    /// # Errors
    /// [`Error::Medium`] when the flash fails.
    pub fn manifests(&mut self) -> Result<Vec<String>> {
        let keys = self.manifests.keys(&mut self.flash, MANIFEST)?;
        Ok(keys
            .into_iter()
            .filter_map(|key| String::from_utf8(key[MANIFEST.len()..].to_vec()).ok())
            .collect())
    }

    fn remove_chunks(&mut self, name: &str, head: Option<Head>) -> Result<()> {
        for index in 0..head.map_or(0, |head| head.chunks) {
            let key = chunk_key(name, head.map_or(0, |head| head.generation), index);
            match self.manifests.remove(&mut self.flash, &key) {
                Ok(()) | Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes chunks that no manifest names: what a power cut left of one that was being saved or removed.
    fn remove_orphans(&mut self) -> Result<()> {
        for key in self.manifests.keys(&mut self.flash, CHUNK)? {
            let Some((name, generation)) = chunk_of(&key) else {
                continue;
            };
            match self
                .manifests
                .get(&mut self.flash, &[MANIFEST, name].concat())
            {
                // what belongs to a damaged head is kept: it is all there is to look at
                Err(Error::Damaged) => {}
                Ok(value)
                    if Head::decode(&value).is_some_and(|head| head.generation == generation) => {}
                Ok(_) | Err(Error::NotFound) => self.manifests.remove(&mut self.flash, &key)?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    // ---- data ----

    /// Sets a key of an owner's data. An owner's keys and values together stay within `limit_bytes`.
    ///
    /// # Errors
    /// [`Error::Full`] beyond the limit or when the area is full, [`Error::TooLarge`].
    pub fn write_data(
        &mut self,
        owner: &str,
        key: &[u8],
        value: &[u8],
        limit_bytes: u32,
    ) -> Result<()> {
        let prefix = data_key(owner, b"")?;
        let whole = data_key(owner, key)?;
        let before = match self.data.get(&mut self.flash, &whole) {
            Ok(value) => key.len() + value.len(),
            Err(Error::NotFound | Error::Damaged) => 0,
            Err(error) => return Err(error),
        };
        let used = self.data.used_by(&mut self.flash, &prefix)? as usize;
        if used.saturating_sub(before) + key.len() + value.len() > limit_bytes as usize {
            return Err(Error::Full);
        }
        self.data.put(&mut self.flash, &whole, value)
    }

    /// A key of an owner's data.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Damaged`].
    pub fn read_data(&mut self, owner: &str, key: &[u8]) -> Result<Vec<u8>> {
        self.data.get(&mut self.flash, &data_key(owner, key)?)
    }

    /// Removes a key of an owner's data.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn remove_data(&mut self, owner: &str, key: &[u8]) -> Result<()> {
        self.data.remove(&mut self.flash, &data_key(owner, key)?)
    }

    /// The keys of an owner's data.
    ///
    /// # Errors
    /// [`Error::Medium`] when the flash fails.
    pub fn data_keys(&mut self, owner: &str) -> Result<Vec<Vec<u8>>> {
        let prefix = data_key(owner, b"")?;
        let mut keys = self.data.keys(&mut self.flash, &prefix)?;
        for key in &mut keys {
            key.drain(..prefix.len());
        }
        Ok(keys)
    }

    /// Bytes of an owner's keys and values.
    ///
    /// # Errors
    /// [`Error::Medium`] when the flash fails.
    pub fn data_used(&mut self, owner: &str) -> Result<u32> {
        self.data.used_by(&mut self.flash, &data_key(owner, b"")?)
    }

    /// Removes all data of an owner.
    ///
    /// # Errors
    /// [`Error::Medium`] when the flash fails.
    pub fn remove_owner(&mut self, owner: &str) -> Result<()> {
        for key in self.data.keys(&mut self.flash, &data_key(owner, b"")?)? {
            self.data.remove(&mut self.flash, &key)?;
        }
        Ok(())
    }

    /// Everyone who has data.
    ///
    /// # Errors
    /// [`Error::Medium`] when the flash fails.
    pub fn data_owners(&mut self) -> Result<Vec<String>> {
        let mut owners: Vec<String> = Vec::new();
        for key in self.data.keys(&mut self.flash, b"")? {
            let owner = key.split(|byte| *byte == 0).next().unwrap_or_default();
            let owner = String::from_utf8_lossy(owner);
            if !owners.iter().any(|known| **known == *owner) {
                owners.push(owner.into_owned());
            }
        }
        Ok(owners)
    }

    // ---- logs ----

    /// Appends a line to a source's log: source at most 64 bytes, line at most 1024.
    ///
    /// # Errors
    /// [`Error::TooLarge`].
    pub fn append_log(&mut self, source: &str, time_ms: u64, line: &[u8]) -> Result<()> {
        self.logs
            .append(&mut self.flash, source.as_bytes(), time_ms, line)
    }

    /// Calls `found` with each line of a source that is still there, the oldest first.
    ///
    /// # Errors
    /// [`Error::Medium`] when the flash fails.
    pub fn read_log(&mut self, source: &str, found: impl FnMut(LogLine)) -> Result<()> {
        self.logs.read(&mut self.flash, source.as_bytes(), found)
    }

    // ---- firmware ----

    /// What is in the firmware slots.
    ///
    /// # Errors
    /// [`Error::Medium`] when the flash fails.
    pub fn boot_state(&mut self) -> Result<BootState> {
        match self.manifests.get(&mut self.flash, BOOT) {
            Ok(value) => BootState::decode(&value).ok_or(Error::Damaged),
            Err(Error::NotFound) => Ok(BootState::default()),
            Err(error) => Err(error),
        }
    }

    /// Writes a firmware into the slot that does not run and puts it on trial: it is started next.
    ///
    /// # Errors
    /// [`Error::OnTrial`] while the firmware that runs has not proved itself: the other slot is the only way back.
    /// [`Error::TooLarge`], [`Error::Verify`]; the firmware that runs is not touched.
    pub fn stage_firmware(&mut self, version: &str, firmware: &mut dyn Blob) -> Result<Slot> {
        let mut state = self.boot_state()?;
        if state.running != state.active {
            return Err(Error::OnTrial);
        }
        let slot = state.active.other();
        let area = self.slot_area(slot);
        if firmware.is_empty() || firmware.len() > area.len || version.len() > 31 {
            return Err(Error::TooLarge);
        }
        // from here on the slot is not a way back
        state.images[slot.index()] = None;
        state.trial = None;
        self.save(&state)?;
        self.flash
            .erase(
                area.start,
                area.start + firmware.len().next_multiple_of(self.layout.sector),
            )
            .map_err(Error::medium)?;
        let mut buffer = [0; 256];
        let mut offset = 0;
        while offset < firmware.len() {
            let length = (firmware.len() - offset).min(256) as usize;
            buffer.fill(0xff);
            firmware
                .read(offset, &mut buffer[..length])
                .map_err(|_| Error::Verify)?;
            write_pages(
                &mut self.flash,
                area.start + offset,
                &buffer[..length.next_multiple_of(4)],
            )?;
            offset += length as u32;
        }
        let crc = blob_crc(firmware)?;
        let image = SlotImage {
            len: firmware.len(),
            crc,
            version: version.into(),
        };
        if !self.whole(slot, &image)? {
            return Err(Error::Verify);
        }
        state.images[slot.index()] = Some(image);
        state.trial = Some(BootState::TRIALS);
        self.save(&state)?;
        Ok(slot)
    }

    /// Which slot to start: the one on trial while it has attempts left, else the one that has proved itself. A slot that is
    /// not whole is passed over. Each call is a start and is counted before it returns.
    ///
    /// # Errors
    /// [`Error::Medium`] when the flash fails. A board without any firmware in its slots starts slot A.
    pub fn boot(&mut self) -> Result<Slot> {
        let mut state = match self.boot_state() {
            // what is left is to find a slot that is whole; without its CRC none is known to be
            Err(Error::Damaged) => BootState::default(),
            state => state?,
        };
        state.unconfirmed_boots = state.unconfirmed_boots.saturating_add(1);
        let mut slot = state.active;
        if let Some(attempts) = state.trial {
            let other = state.active.other();
            if attempts > 0 && self.is_whole(&state, other)? {
                state.trial = Some(attempts - 1);
                slot = other;
            } else {
                state.trial = None;
                state.rollbacks = state.rollbacks.saturating_add(1);
                state.unconfirmed_boots = 1;
            }
        }
        if slot == state.active
            && state.images[slot.index()].is_some()
            && !self.is_whole(&state, slot)?
            && self.is_whole(&state, slot.other())?
        {
            state.active = slot.other();
            state.rollbacks = state.rollbacks.saturating_add(1);
            slot = state.active;
        }
        state.running = slot;
        self.save(&state)?;
        Ok(slot)
    }

    /// Says that the firmware which runs works: it ends its trial, and the boot counter begins anew. One that was rolled
    /// back meanwhile stays so.
    ///
    /// # Errors
    /// [`Error::Medium`] when the flash fails.
    pub fn confirm(&mut self) -> Result<()> {
        let mut state = self.boot_state()?;
        if state.trial.is_some() && state.running != state.active {
            state.active = state.running;
            state.trial = None;
        }
        state.unconfirmed_boots = 0;
        self.save(&state)
    }

    /// Goes back to the firmware in the other slot at the next start.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no whole firmware in it.
    pub fn roll_back(&mut self) -> Result<Slot> {
        let mut state = self.boot_state()?;
        let was_on_trial = state.trial.take().is_some();
        if !was_on_trial && state.running != state.active {
            // it is on its way already
            return Ok(state.active);
        }
        if !was_on_trial {
            let other = state.active.other();
            if !self.is_whole(&state, other)? {
                return Err(Error::NotFound);
            }
            state.active = other;
        }
        state.rollbacks = state.rollbacks.saturating_add(1);
        self.save(&state)?;
        Ok(state.active)
    }

    /// The firmware of a slot, to be read in pieces.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none, [`Error::Damaged`] when it is not whole.
    pub fn firmware(&mut self, slot: Slot) -> Result<ImageReader<'_, F>> {
        let state = self.boot_state()?;
        let image = state.images[slot.index()].as_ref().ok_or(Error::NotFound)?;
        if !self.whole(slot, image)? {
            return Err(Error::Damaged);
        }
        let (address, len) = (self.slot_area(slot).start, image.len);
        Ok(ImageReader {
            flash: &mut self.flash,
            address,
            len,
        })
    }

    const fn slot_area(&self, slot: Slot) -> Area {
        match slot {
            Slot::A => self.layout.firmware_a,
            Slot::B => self.layout.firmware_b,
        }
    }

    fn is_whole(&mut self, state: &BootState, slot: Slot) -> Result<bool> {
        state.images[slot.index()]
            .as_ref()
            .map_or(Ok(false), |image| self.whole(slot, image))
    }

    fn whole(&mut self, slot: Slot, image: &SlotImage) -> Result<bool> {
        let area = self.slot_area(slot);
        if image.len > area.len {
            return Ok(false);
        }
        let crc = blob_crc(&mut ImageReader {
            flash: &mut self.flash,
            address: area.start,
            len: image.len,
        })?;
        Ok(crc == image.crc)
    }

    fn save(&mut self, state: &BootState) -> Result<()> {
        self.manifests.put(&mut self.flash, BOOT, &state.encode())
    }
}

/// What a long manifest's own key holds.
#[derive(Clone, Copy, Debug)]
struct Head {
    generation: u32,
    chunks: u16,
    crc: u32,
}

impl Head {
    fn encode(self) -> [u8; 11] {
        let mut bytes = [1; 11];
        bytes[1..5].copy_from_slice(&self.generation.to_le_bytes());
        bytes[5..7].copy_from_slice(&self.chunks.to_le_bytes());
        bytes[7..].copy_from_slice(&self.crc.to_le_bytes());
        bytes
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let value: &[u8; 11] = value
            .try_into()
            .ok()
            .filter(|value: &&[u8; 11]| value[0] == 1)?;
        let word = |at: usize| {
            u32::from_le_bytes([value[at], value[at + 1], value[at + 2], value[at + 3]])
        };
        Some(Self {
            generation: word(1),
            chunks: u16::from_le_bytes([value[5], value[6]]),
            crc: word(7),
        })
    }
}

fn chunk_key(name: &str, generation: u32, index: u16) -> Vec<u8> {
    [
        CHUNK,
        name.as_bytes(),
        &generation.to_le_bytes(),
        &index.to_le_bytes(),
    ]
    .concat()
}

fn chunk_of(key: &[u8]) -> Option<(&[u8], u32)> {
    let (rest, _) = key.strip_prefix(CHUNK)?.split_last_chunk::<2>()?;
    let (name, generation) = rest.split_last_chunk::<4>()?;
    Some((name, u32::from_le_bytes(*generation)))
}

fn data_key(owner: &str, key: &[u8]) -> Result<Vec<u8>> {
    // the owner's name ends with a byte that no name has
    if owner.len() > 128 || owner.contains('\0') {
        return Err(Error::TooLarge);
    }
    Ok([owner.as_bytes(), b"\0", key].concat())
}
