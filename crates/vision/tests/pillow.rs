//! Sharpening against Pillow's own output.

use anyhow::{Context, Result};
use vision::{Limits, decode, sharpen};

#[test]
fn a_photo_is_sharpened_as_pillow_does() -> Result<()> {
    let Some(reference) = requires::reference_dir() else { return Ok(()) };
    let read = |name: &str| -> Result<_> {
        let path = reference.join("images").join(name);
        let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
        Ok(decode(&bytes, &Limits::default())?)
    };
    let ours = sharpen(read("dog-decoded.png")?, 1.2);
    let pillows = read("dog-sharpened-1.2.png")?;
    assert_eq!(ours.size(), pillows.size());
    let different = ours.data().iter().zip(pillows.data()).filter(|(a, b)| a != b).count();
    assert_eq!(different, 0, "of {} channel values", ours.data().len());
    Ok(())
}
