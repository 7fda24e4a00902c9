// SPDX-License-Identifier: Apache-2.0
//! Volumes and claims: bound to each other, protected while they are in use, made for pods that bring their own claims.

mod binder;
mod choice;
mod ephemeral;
mod protection;

pub(crate) use binder::start as start_binder;
pub(crate) use ephemeral::start as start_ephemeral;
pub(crate) use protection::{
    start_claims as start_claim_protection, start_volumes as start_volume_protection,
};
