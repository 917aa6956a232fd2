-- A row for each frame: what is filtered by, and the whole result as JSON. A partition for each day: the id is a UUIDv7,
-- whose first 48 bits are milliseconds, so that a day is a range of ids and an id is unique in the whole table.
CREATE TABLE frames (
    frame_id uuid NOT NULL PRIMARY KEY,
    received_at timestamptz NOT NULL,  -- the id's own time, for those who ask in SQL
    camera text NOT NULL,
    final boolean NOT NULL,            -- false: the cloud's answer may still come
    destination text,                  -- edge, cloud; NULL: never decided
    result json NOT NULL
) PARTITION BY RANGE (frame_id);
CREATE INDEX frames_by_camera ON frames (camera, frame_id);

-- A row for each detection in them, in partitions of the same days.
CREATE TABLE detections (
    frame_id uuid NOT NULL,
    ordinal integer NOT NULL,          -- the surest is 0
    camera text NOT NULL,
    class text NOT NULL,
    confidence real NOT NULL,
    x real NOT NULL,                   -- pixels of the upright picture
    y real NOT NULL,
    width real NOT NULL,
    height real NOT NULL,
    PRIMARY KEY (frame_id, ordinal)
) PARTITION BY RANGE (frame_id);
-- has every column that sightings look at
CREATE INDEX detections_by_class ON detections (class, frame_id, camera, confidence);

-- A row for each zone that a detection is in, in partitions of the same days.
CREATE TABLE zones (
    frame_id uuid NOT NULL,
    ordinal integer NOT NULL,
    zone text NOT NULL,
    PRIMARY KEY (frame_id, ordinal, zone)
) PARTITION BY RANGE (frame_id);
CREATE INDEX zones_by_name ON zones (zone, frame_id, ordinal);

-- How often a class was seen, by the minute: kept in step with the detections, so that counts of a day look at no frame.
CREATE TABLE minutes (
    minute bigint NOT NULL,            -- since the epoch
    camera text NOT NULL,
    class text NOT NULL,
    detections bigint NOT NULL,
    frames bigint NOT NULL,
    PRIMARY KEY (minute, camera, class)
);
