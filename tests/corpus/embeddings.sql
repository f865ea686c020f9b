-- Documents with embeddings and an index over them.
-- change: ORDER BY (source, chunk)
-- fill: (chunk, source, text, embedding, small) SELECT number, concat('source ', toString(number % 12)), toString(number), arrayMap(i -> toFloat32(cityHash64(number, i) % 1000 / 1000), range(8)), arrayMap(i -> toFloat32(cityHash64(number, i) % 8), range(8)) FROM rows
CREATE TABLE documents
(
    `chunk` UInt64,
    `source` LowCardinality(String),
    `text` String,
    `embedding` Array(Float32) CODEC(NONE),
    `small` QBit(Float32, 8),
    INDEX near embedding TYPE vector_similarity('hnsw', 'cosineDistance', 8, 'bf16', 16, 64),
    CONSTRAINT right_size CHECK length(embedding) = 8
)
ENGINE = MergeTree
ORDER BY (chunk, source)
SETTINGS index_granularity = 8192
