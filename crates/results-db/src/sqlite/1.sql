-- A row for each frame: what is filtered by, and the whole result as JSON.
CREATE TABLE frames (
    frame_id BLOB NOT NULL PRIMARY KEY, -- a UUIDv7, 16 bytes: sorts by time
    camera TEXT NOT NULL,
    final INTEGER NOT NULL,             -- 0: the cloud's answer may still come
    destination TEXT,                   -- edge, cloud; NULL: never decided
    result TEXT NOT NULL
) STRICT;
CREATE INDEX frames_by_camera ON frames (camera, frame_id);

-- A row for each detection in them.
CREATE TABLE detections (
    frame_id BLOB NOT NULL,
    ordinal INTEGER NOT NULL,           -- the surest is 0
    camera TEXT NOT NULL,
    class TEXT NOT NULL,
    confidence REAL NOT NULL,
    x REAL NOT NULL,                    -- pixels of the upright picture
    y REAL NOT NULL,
    width REAL NOT NULL,
    height REAL NOT NULL,
    PRIMARY KEY (frame_id, ordinal)
) STRICT, WITHOUT ROWID;
-- has every column that counts and sightings look at
CREATE INDEX detections_by_class ON detections (class, frame_id, camera, confidence);

-- A row for each zone that a detection is in.
CREATE TABLE zones (
    frame_id BLOB NOT NULL,
    ordinal INTEGER NOT NULL,
    zone TEXT NOT NULL,
    PRIMARY KEY (frame_id, ordinal, zone)
) STRICT, WITHOUT ROWID;
CREATE INDEX zones_by_name ON zones (zone, frame_id, ordinal);

-- How often a class was seen, by the minute: kept in step with the detections, so that counts of a day look at no frame.
CREATE TABLE minutes (
    minute INTEGER NOT NULL,            -- since the epoch
    camera TEXT NOT NULL,
    class TEXT NOT NULL,
    detections INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    PRIMARY KEY (minute, camera, class)
) STRICT, WITHOUT ROWID;
