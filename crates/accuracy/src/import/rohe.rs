//! The tables of detections that the project ROHE publishes (<https://github.com/rdsea/ROHE>): CSV, a
//! row for each box.

use super::{Found, ImportError, ImportedBox, MAX_CLASSES};

/// The columns that are needed, in the order in which they are read here.
const NEEDED: [&str; 8] =
    ["image_name", "modality", "class_id", "x_center", "y_center", "width", "height", "confidence"];
/// Milliseconds that add up, where the file tells them.
const TIMES: [&str; 3] = ["preprocess_time", "inference_time", "postprocess_time"];
/// How far a box's centre or side may lie outside the image, in its sides.
const REACH: std::ops::RangeInclusive<f32> = -10.0..=10.0;

/// Reads a table. An image is named `IMAGE/MODALITY`; boxes are in shares of it.
///
/// # Errors
/// Names line and column of what is wrong first.
pub fn rohe(text: &str) -> Result<Found, ImportError> {
    let mut lines = (1..).zip(text.lines());
    let header: Vec<&str> =
        lines.next().map_or_else(Vec::new, |(_, line)| line.split(',').map(str::trim).collect());
    let place = |name: &'static str| {
        let found = header.iter().position(|column| *column == name);
        found.ok_or(ImportError::Column(name))
    };
    let mut places = [0; NEEDED.len()];
    for (to, name) in places.iter_mut().zip(NEEDED) {
        *to = place(name)?;
    }
    let times = TIMES.map(|name| (name, place(name).ok()));
    let mut found = Found::new();
    for (line, row) in lines {
        if row.trim().is_empty() {
            continue;
        }
        let values: Vec<&str> = row.split(',').map(str::trim).collect();
        if values.len() != header.len() {
            return Err(ImportError::Values { line, found: values.len(), wanted: header.len() });
        }
        let wrong = |field, value: &str, allowed| {
            Err(ImportError::Value { line, field, value: value.to_owned(), allowed })
        };
        let number = |column: usize, range: std::ops::RangeInclusive<f32>, allowed| {
            let text = values[places[column]];
            match text.parse::<f32>() {
                Ok(value) if range.contains(&value) => Ok(value),
                _ => wrong(NEEDED[column], text, allowed).map(|()| 0.0),
            }
        };
        let [image, modality, class_text] = [0, 1, 2].map(|column| values[places[column]]);
        if image.is_empty() {
            wrong(NEEDED[0], image, "a name")?;
        }
        // whole numbers may be written as 0.0
        let class = class_text.parse::<f64>().ok().filter(|class| class.fract() == 0.0);
        let class = class.filter(|class| (0.0..f64::from(MAX_CLASSES)).contains(class));
        let Some(class) = class else {
            wrong(NEEDED[2], class_text, "a class, 0 to 9999")?;
            continue;
        };
        let [x, y] = [3, 4].map(|column| number(column, REACH, "a place in shares of the image"));
        let [w, h] = [5, 6]
            .map(|column| number(column, 0.0..=*REACH.end(), "a length in shares of the image"));
        let (x, y, width, height) = (x?, y?, w?, h?);
        let confidence = number(7, 0.0..=1.0, "from 0 to 1")?;
        let sides = [x - width / 2.0, y - height / 2.0, width, height];
        let entry = found.entry(format!("{image}/{modality}")).or_default();
        entry.boxes.push(ImportedBox { class_id: class as u32, confidence, sides });
        entry.service_ms = 0.0;
        for (name, place) in times {
            let Some(text) = place.map(|place| values[place]) else { continue };
            match text.parse::<f64>() {
                Ok(ms) if (0.0..=1e8).contains(&ms) => entry.service_ms += ms,
                _ => wrong(name, text, "a time in milliseconds")?,
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "image_name,modality,class_id,x_center,y_center,width,height,confidence,\
                          inference_time,preprocess_time,postprocess_time";

    #[test]
    fn rows_of_an_image_and_a_modality_belong_together() {
        let text = format!(
            "{HEADER}\n7,rgb,0,0.5,0.25,0.5,0.25,0.75,20,1.5,0.5\n\
             7,rgb,2.0,0.5,0.5,1,1,0.25,20,1.5,0.5\n7,ir,0,0.5,0.5,1,1,0.5,9,0,0\n\n"
        );
        let found = rohe(&text).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["7/ir", "7/rgb"]);
        let rgb = &found["7/rgb"];
        assert_eq!((rgb.boxes.len(), rgb.service_ms, found["7/ir"].service_ms), (2, 22.0, 9.0));
        assert_eq!(
            rgb.boxes[0],
            ImportedBox { class_id: 0, confidence: 0.75, sides: [0.25, 0.125, 0.5, 0.25] }
        );
    }

    #[test]
    fn what_is_wrong_is_named_by_line_and_column() {
        let good = "7,rgb,0,0.5,0.25,0.5,0.25,0.75,20,1,1";
        for (from, to, wanted) in [
            ("0.75", "75", "line 3: `confidence`: '75' is not from 0 to 1"),
            ("0.75", "high", "line 3: `confidence`: 'high' is not from 0 to 1"),
            ("0.25,0.5", "nan,0.5", "line 3: `y_center`: 'nan' is not a place"),
            (",0.5,0.25,0.75", ",-0.5,0.25,0.75", "line 3: `width`: '-0.5' is not a length"),
            ("rgb,0,", "rgb,cat,", "line 3: `class_id`: 'cat' is not a class"),
            ("rgb,0,", "rgb,1.5,", "line 3: `class_id`: '1.5' is not a class"),
            ("7,", ",", "line 3: `image_name`"),
            (",20,", ",late,", "line 3: `inference_time`: 'late' is not a time"),
            (",20,1", ",20", "line 3: 10 values where there are 11 columns"),
        ] {
            assert!(good.contains(from), "{from}");
            let text = format!("{HEADER}\n{good}\n{}\n", good.replacen(from, to, 1));
            let error = rohe(&text).unwrap_err().to_string();
            assert!(error.starts_with(wanted), "{to}: {error}");
        }
        for (text, wanted) in [
            ("", "line 1: there is no column `image_name`"),
            ("image_name,modality\n", "line 1: there is no column `class_id`"),
        ] {
            assert_eq!(rohe(text).unwrap_err().to_string(), wanted);
        }
    }
}
