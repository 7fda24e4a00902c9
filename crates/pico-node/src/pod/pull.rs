// SPDX-License-Identifier: Apache-2.0
//! When an image is asked of its registry, and what is said of one that cannot be had.

use alloc::format;
use alloc::string::String;

use crate::runtime::ImageError;

/// When an image is pulled, as the pod has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullPolicy {
    Always,
    IfNotPresent,
    Never,
}

impl PullPolicy {
    /// From `imagePullPolicy`, which an API server fills in where it is not said.
    pub(crate) fn of(text: &str) -> Self {
        match text {
            "Always" => Self::Always,
            "Never" => Self::Never,
            _ => Self::IfNotPresent,
        }
    }

    /// Whether the image is to be pulled, with this to be said of it in flash.
    pub(crate) fn wants<T>(self, image: &str, found: &Result<T, ImageError>) -> bool {
        names_registry(image)
            && match self {
                Self::Always => true,
                Self::IfNotPresent => found.is_err(),
                Self::Never => false,
            }
    }
}

/// Whether an image's name says which registry has it: `HOST:PORT/NAME`. What does not is in flash or nowhere.
pub(crate) fn names_registry(image: &str) -> bool {
    image.split_once('/').is_some_and(|(first, _)| {
        first == "localhost" || first.bytes().any(|byte| matches!(byte, b'.' | b':'))
    })
}

/// The reason and the message of a container whose image cannot be used.
pub(crate) fn failure(
    image: &str,
    policy: PullPolicy,
    error: &ImageError,
) -> (&'static str, String) {
    match error {
        ImageError::NotFound if policy == PullPolicy::Never => (
            "ErrImageNeverPull",
            format!("Container image {image:?} is not present with pull policy of Never"),
        ),
        ImageError::NotFound => (
            "ErrImagePull",
            format!("ECI '{image}' not available in flash registry"),
        ),
        ImageError::Unavailable(why) => (
            "ErrImagePull",
            format!("failed to pull image {image:?}: {why}"),
        ),
        ImageError::Refused(why) => (
            "SignatureValidationFailed",
            format!("ECI '{image}' is refused: {why}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_where_the_image_is() {
        for (image, expected) in [
            ("pico/blink:v1", false),
            ("blink", false),
            ("blink:v1", false),
            ("localhost/blink", true),
            ("localhost:5000/blink", true),
            ("127.0.0.1:5000/pico/blink:v1", true),
            ("[::1]:5000/pico/blink:v1", true),
            ("registry.example/pico/blink@sha256:00", true),
        ] {
            assert_eq!(names_registry(image), expected, "{image}");
        }
    }

    #[test]
    fn policies() {
        let (there, missing) = (Ok(()), Err(ImageError::NotFound));
        let damaged = Err(ImageError::Refused(String::new()));
        for (text, found, expected) in [
            ("Always", &there, true),
            ("Always", &missing, true),
            ("IfNotPresent", &there, false),
            ("IfNotPresent", &missing, true),
            ("IfNotPresent", &damaged, true),
            ("", &missing, true),
            ("Never", &there, false),
            ("Never", &missing, false),
        ] {
            let policy = PullPolicy::of(text);
            assert_eq!(policy.wants("r.example/x:v1", found), expected, "{text}");
            assert!(!policy.wants("pico/x:v1", found), "{text}");
        }
    }
}
