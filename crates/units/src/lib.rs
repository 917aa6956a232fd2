//! The one table of the suite's units, in the order of a frame's journey.
//!
//! A further unit is its crate, with `ABOUT`, `config` and `run`, and one line in
//! [`for_each_unit!`]. Whoever needs all units goes by [`UnitKind::ALL`] and [`UnitKind::about`];
//! whoever starts them has the table expanded with a macro of its own. A test holds the Dockerfile,
//! docker-compose.yml, `.ci/images` and `deploy/` to the same table.
//!
//! Nothing here starts a unit, and the engine that runs models is not even a dependency: a program
//! that only reads settings is built without it.

use std::fmt;
use unit::About;

/// Gives the table to the macro `$with`: a line for each unit with its name as a type, its crate,
/// where its `ABOUT` is, and behind `binds` the field of its configuration that is a port of its
/// own beside the admin port.
#[macro_export]
macro_rules! for_each_unit {
    ($with:ident) => {
        $with! {
            WebServer: web_server, web_server::ABOUT, binds http;
            Preprocessor: preprocessor, preprocessor::ABOUT;
            EdgeInference: edge_inference, inference_settings::EDGE;
            CloudInference: cloud_inference, inference_settings::CLOUD;
            ResultsStore: results_store, results_store::ABOUT;
        }
    };
}

macro_rules! kinds {
    ($($kind:ident: $unit:ident, $about:path $(, binds $port:ident)?;)*) => {
        /// A unit of the suite, in the order of a frame's journey.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum UnitKind {
            $(
                #[doc = concat!("The unit of the crate `", stringify!($unit), "`.")]
                $kind,
            )*
        }

        impl UnitKind {
            /// How many there are.
            pub const COUNT: usize = [$(stringify!($kind)),*].len();
            /// All of them.
            pub const ALL: [Self; Self::COUNT] = [$(Self::$kind),*];

            /// What is known of it.
            #[must_use]
            pub const fn about(self) -> &'static About {
                match self {
                    $(Self::$kind => &$about,)*
                }
            }
        }
    };
}

for_each_unit!(kinds);

impl UnitKind {
    /// The unit's name, as its binary's.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.about().name
    }

    /// The unit of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The names of all units, for messages.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for UnitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_units_apart() {
        for kind in UnitKind::ALL {
            assert_eq!(UnitKind::named(kind.name()), Some(kind));
        }
        assert_eq!(UnitKind::named("mlvi"), None);
        assert_eq!(
            UnitKind::names(),
            "web-server, preprocessor, edge-inference, cloud-inference, results-store"
        );
    }

    #[test]
    fn every_unit_reads_its_settings_without_any() {
        for kind in UnitKind::ALL {
            let about = kind.about();
            assert_eq!(about.default_of("MLVI_TOPIC_PREFIX").as_deref(), Some("mlvi"), "{kind}");
            let group = about.input.map(|input| about.default_of(input.group));
            assert!(group.is_none_or(|group| group.is_some()), "{kind}");
        }
    }
}
