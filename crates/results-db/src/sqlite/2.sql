-- Small pictures of the frames in which events began or were seen surest, without what was masked.
CREATE TABLE thumbnails (
    frame_id BLOB NOT NULL PRIMARY KEY,
    camera TEXT NOT NULL,
    size INTEGER NOT NULL,              -- of the picture, in bytes
    jpeg BLOB NOT NULL
) STRICT;
CREATE INDEX thumbnails_by_camera ON thumbnails (camera, frame_id);
-- what they take together, without reading them
CREATE INDEX thumbnails_by_size ON thumbnails (frame_id, size);
