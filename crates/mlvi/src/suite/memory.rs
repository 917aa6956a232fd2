//! The memory of one process, shared out among the units in it.

use super::{SuiteConfig, UnitKind};
use settings::Settings;
use unit::{Memory, PixelRoom};

const MIB: u64 = 1 << 20;
/// Below this, the largest pictures that are accepted, uploads and a small model do not fit
/// together.
const NEEDED: u64 = 400 * MIB;

/// Makes bounds of the memory that there is (or of `MLVI_MEMORY_MIB`), where nobody has set them,
/// and says what it found. Pictures that could not be decoded within are not accepted either.
#[must_use]
pub fn within_memory(config: SuiteConfig) -> SuiteConfig {
    // what is wrong in the environment is reported when the units read it
    let mut settings =
        Settings::from_environment().unwrap_or_else(|_| Settings::from_pairs([("", "")]));
    let memory = Memory::from_settings(&mut settings);
    let mut set = |name, help| settings.optional_text(name, help).is_some();
    let own_pixels = set("MLVI_MAX_PIXELS", "the largest picture");
    let own_room = set("MLVI_PIXELS_MIB", "room for decoded pictures");
    if memory.bytes < NEEDED {
        tracing::warn!(memory = %memory, needed_mib = NEEDED / MIB, "there is little memory: large \
            frames may end the suite");
    }
    shared_out(config, memory, own_pixels, own_room)
}

fn shared_out(
    mut config: SuiteConfig,
    memory: Memory,
    own_pixels: bool,
    own_room: bool,
) -> SuiteConfig {
    let largest = PixelRoom::largest_picture(memory.for_pixels()).min(frame::DEFAULT_MAX_PIXELS);
    tracing::info!(memory = %memory, room_for_pixels_mib = memory.for_pixels() / MIB, largest_picture = largest, "bounds follow the memory");
    // what an add-on takes is small
    let sharing = UnitKind::ALL.into_iter().filter(|kind| !kind.about().is_add_on).count() as u64;
    config = config.with("MLVI_MEMORY_MIB", (memory.bytes / MIB / sharing).max(32));
    if !own_room {
        config = config.with("MLVI_PIXELS_MIB", memory.for_pixels() / MIB);
    }
    if !own_pixels {
        config = config.with("MLVI_MAX_PIXELS", largest);
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;
    use unit::MemorySource;

    fn of(config: &SuiteConfig, name: &str) -> Option<u64> {
        let pairs = config.settings_of(UnitKind::WebServer);
        pairs.iter().rev().find(|(of, _)| of == name).map(|(_, value)| value.parse().unwrap())
    }

    #[test]
    fn a_small_box_takes_pictures_of_12_megapixels() {
        for (mib, least, most) in [
            (450, 12_000_000, 13_500_000),
            (1000, 25_000_000, 25_000_000),
            (65_536, 25_000_000, 25_000_000),
        ] {
            let memory = Memory { bytes: mib * MIB, source: MemorySource::ControlGroup };
            let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models");
            let config = shared_out(
                SuiteConfig::embedded("x").with("MLVI_MODELS_DIR", models),
                memory,
                false,
                false,
            );
            let largest = of(&config, "MLVI_MAX_PIXELS").unwrap();
            assert!((least..=most).contains(&largest), "{mib}: {largest}");
            config.check().unwrap();
        }
    }

    #[test]
    fn what_is_set_wins() {
        let memory = Memory { bytes: 450 * MIB, source: MemorySource::ControlGroup };
        let config = shared_out(SuiteConfig::embedded("x"), memory, true, true);
        assert_eq!((of(&config, "MLVI_MAX_PIXELS"), of(&config, "MLVI_PIXELS_MIB")), (None, None));
    }
}
