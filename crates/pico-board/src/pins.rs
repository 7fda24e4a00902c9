// SPDX-License-Identifier: Apache-2.0
//! Digital pins by number: containers ask for "GP15", so a pin is a value and not a type.

use crate::Error;

/// The level of a digital pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// 0 V.
    Low,
    /// The board's I/O voltage.
    High,
}

impl Level {
    /// The other level.
    #[must_use]
    pub const fn toggled(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }

    /// Whether the level is high.
    #[must_use]
    pub const fn is_high(self) -> bool {
        matches!(self, Self::High)
    }
}

impl From<bool> for Level {
    fn from(high: bool) -> Self {
        if high { Self::High } else { Self::Low }
    }
}

/// Whether a pin reads or drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The pin is read.
    Input,
    /// The pin is driven.
    Output,
}

/// The resistor at an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// None: the input floats.
    None,
    /// To the I/O voltage.
    Up,
    /// To ground.
    Down,
}

/// How a pin is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinMode {
    /// High impedance, input buffer off: how every pin is after a reset and after its container has gone.
    Disabled,
    /// An input with a resistor.
    Input(Pull),
    /// An output that starts with this level.
    Output(Level),
}

impl PinMode {
    /// The direction, unless the pin is disabled.
    #[must_use]
    pub const fn direction(self) -> Option<Direction> {
        match self {
            Self::Disabled => None,
            Self::Input(_) => Some(Direction::Input),
            Self::Output(_) => Some(Direction::Output),
        }
    }
}

/// A change of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// From low to high.
    Rising,
    /// From high to low.
    Falling,
}

/// Which edges a pin reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EdgeSet {
    /// From low to high.
    pub rising: bool,
    /// From high to low.
    pub falling: bool,
}

impl EdgeSet {
    /// No edge.
    pub const NONE: Self = Self {
        rising: false,
        falling: false,
    };
    /// Both edges.
    pub const BOTH: Self = Self {
        rising: true,
        falling: true,
    };

    /// Whether this edge is in the set.
    #[must_use]
    pub const fn contains(self, edge: Edge) -> bool {
        match edge {
            Edge::Rising => self.rising,
            Edge::Falling => self.falling,
        }
    }
}

/// The digital pins of a board, by GPIO number.
pub trait Pins {
    /// Sets a pin up. A pin that a PWM channel drives is taken away from it.
    ///
    /// # Errors
    /// [`Error::NoSuchDevice`] when the pin is not on the header.
    fn configure(&mut self, pin: u8, mode: PinMode) -> Result<(), Error>;

    /// The mode last set.
    ///
    /// # Errors
    /// [`Error::NoSuchDevice`] when the pin is not on the header.
    fn mode(&self, pin: u8) -> Result<PinMode, Error>;

    /// The level at the pin, of an input or an output.
    ///
    /// # Errors
    /// [`Error::WrongMode`] when the pin is disabled.
    fn read(&mut self, pin: u8) -> Result<Level, Error>;

    /// Drives an output.
    ///
    /// # Errors
    /// [`Error::WrongMode`] when the pin is not an output.
    fn write(&mut self, pin: u8, level: Level) -> Result<(), Error>;

    /// Chooses the edges that are remembered from now on; forgets those that were.
    ///
    /// # Errors
    /// [`Error::WrongMode`] when the pin is not an input.
    fn watch(&mut self, pin: u8, edges: EdgeSet) -> Result<(), Error>;

    /// Takes the edges remembered since the last call (at most one of each direction is kept).
    ///
    /// # Errors
    /// [`Error::NoSuchDevice`] when the pin is not on the header.
    fn take_edges(&mut self, pin: u8) -> Result<EdgeSet, Error>;
}
