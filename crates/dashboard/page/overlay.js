// Boxes and labels over a picture.

// colours that stay apart for colour-blind eyes (Okabe and Ito), without black and white
const COLOURS = ["#e69f00", "#56b4e9", "#00b487", "#f0e442", "#4c9be8", "#ff7f2a", "#e58bc0", "#9be15d"];

/** The colour of a class, always the same. */
export function colourOf(classId) {
  return COLOURS[Math.abs(classId) % COLOURS.length];
}

/**
 * Draws detections, which are in pixels of the upright upload, on a canvas context.
 * `size`: the upload's size; `width`, `height`: the area in CSS pixels.
 */
export function drawBoxes(context, detections, size, width, height, highlighted = -1) {
  if (!size) return;
  const [horizontal, vertical] = [width / size.width, height / size.height];
  const line = Math.max(1.5, Math.min(3, width / 220));
  const font = Math.max(10, Math.min(15, width / 30));
  context.font = `600 ${font}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  // the most confident one is on top
  for (let i = detections.length - 1; i >= 0; i -= 1) {
    const { box, class: name, class_id: id, confidence } = detections[i];
    const left = clamp(box.x * horizontal, width);
    const top = clamp(box.y * vertical, height);
    const right = clamp((box.x + box.width) * horizontal, width);
    const bottom = clamp((box.y + box.height) * vertical, height);
    const faded = highlighted >= 0 && highlighted !== i;
    context.globalAlpha = faded ? 0.25 : 1;
    const inset = line / 2 + 0.5;
    const rectangle = [left + inset, top + inset, Math.max(0, right - left - 2 * inset), Math.max(0, bottom - top - 2 * inset)];
    context.lineJoin = "round";
    context.strokeStyle = "rgba(0, 0, 0, 0.55)";
    context.lineWidth = line + 2;
    context.strokeRect(...rectangle);
    context.strokeStyle = colourOf(id);
    context.lineWidth = line;
    context.strokeRect(...rectangle);

    const label = `${name} ${Math.round(confidence * 100)} %`;
    const tagHeight = font + 7;
    const tagWidth = Math.min(width, context.measureText(label).width + 12);
    const tagLeft = Math.max(0, Math.min(left, width - tagWidth));
    const tagTop = top >= tagHeight ? top - tagHeight + 1 : Math.min(top, height - tagHeight);
    context.fillStyle = colourOf(id);
    context.beginPath();
    context.roundRect(tagLeft, Math.max(0, tagTop), tagWidth, tagHeight, 4);
    context.fill();
    context.fillStyle = "#111";
    context.fillText(label, tagLeft + 6, Math.max(0, tagTop) + tagHeight / 2 + 0.5, width - 12);
  }
  context.globalAlpha = 1;
}

function clamp(value, limit) {
  return Number.isFinite(value) ? Math.max(0, Math.min(limit, value)) : 0;
}
