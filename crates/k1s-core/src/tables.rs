// SPDX-License-Identifier: Apache-2.0
//! The tables that `build.rs` makes.

use crate::kinds::{Column, Kind, Subresource};
use crate::schema::{Field, Form, ListType, Presence, Schema, Shape, Strategy};

include!(concat!(env!("OUT_DIR"), "/tables.rs"));
