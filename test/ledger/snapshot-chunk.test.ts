import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, equalBytes, textFromUtf8, utf8 } from '../../src/base/bytes.ts';
import { sha256, ZERO_HASH, type Hash } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import {
  CHUNK_TARGET_BYTES,
  chunkIndexOf,
  depthFor,
  encodeChunkContent,
  encodeChunkProof,
  finestIndexOf,
  MAX_CHUNK_BYTES,
  MAX_SNAPSHOT_DEPTH,
  snapshotChunkCodec,
  verifyChunk,
  type ChunkEntry,
  type SnapshotChunk,
} from '../../src/ledger/snapshot-chunk.ts';
import { StateTree } from '../../src/ledger/state-tree.ts';
import { codeOf } from './nodes.ts';
import { snapshotOf } from './snapshots.ts';

type State = ReadonlyMap<string, Uint8Array>;

function rootOf(state: State): Hash {
  const tree = new StateTree();
  return tree.update(
    tree.empty,
    Array.from(state, ([key, value]) => ({ key, value })),
  ).root;
}

function stateOf(count: number): State {
  return new Map(Array.from({ length: count }, (_, n) => [`key-${n}`, utf8(`value-${n}`)]));
}

const states = fc
  .uniqueArray(fc.integer({ min: 0, max: 500 }), { maxLength: 60 })
  .map((keys): State => new Map(keys.map((n) => [`key-${n}`, utf8(`value-${n % 7}`)])));
/** So deep that most paths end in a leaf or in nothing, or so shallow that they do not. */
const depths = fc.integer({ min: 0, max: 7 });

const judged = (chunk: SnapshotChunk, stateRoot: Hash, depth: number, index = chunk.content.index): string =>
  codeOf(verifyChunk(chunk, { stateRoot, depth, index }));

/** Property tests draw the same cases in each run. */
const RUNS = { seed: 7, numRuns: 150 };

describe('the chunks of a snapshot', () => {
  test('are each what the state root says, and hold together all of the state and nothing else', () => {
    fc.assert(
      fc.property(states, depths, (state, depth) => {
        const { chunks, tree } = snapshotOf(state, depth);
        expect(tree.root).toBe(rootOf(state));
        expect(chunks.map((chunk) => judged(chunk, tree.root, depth)).filter((code) => code !== 'applied')).toEqual([]);
        const entries = chunks.flatMap(({ content }) => content.entries);
        expect(entries.length).toBe(state.size);
        expect(
          entries.every(({ key, value }) => equalBytes(state.get(textFromUtf8(key)) ?? new Uint8Array(0), value)),
        ).toBe(true);
      }),
      RUNS,
    );
  });

  test('are refused with any entry altered, left out, added, doubled or moved to its neighbour', () => {
    const change = fc.constantFrom('value', 'key', 'missing', 'added', 'doubled', 'swapped', 'moved');
    fc.assert(
      fc.property(states, depths, change, fc.nat(), (state, depth, kind, seed) => {
        const { chunks, tree } = snapshotOf(state, depth);
        const full = chunks.filter(({ content }) => content.entries.length > 0);
        fc.pre(full.length > 0);
        const chunk = full[seed % full.length] as SnapshotChunk;
        const next = chunks[(chunk.content.index + 1) % chunks.length] as SnapshotChunk;
        const entries = changed(chunk.content.entries, kind, seed, next.content.entries);
        fc.pre(entries !== null);
        const altered = { ...chunk, content: { ...chunk.content, entries: entries } };
        expect(judged(altered, tree.root, depth)).not.toBe('applied');
      }),
      { ...RUNS, numRuns: 300 },
    );
  });

  test('are refused with any hash beside their path, or the leaf of another chunk, altered or left out', () => {
    fc.assert(
      fc.property(states, depths, fc.nat(), fc.boolean(), (state, depth, seed, cuts) => {
        const { chunks, tree } = snapshotOf(state, depth);
        const chunk = chunks[seed % chunks.length] as SnapshotChunk;
        const { other, siblings } = chunk.proof;
        const flipped = siblings.map((byte, at) => (at === seed % siblings.length ? byte ^ 1 : byte));
        fc.pre(siblings.length > 0 || other !== null);
        const proofs = [
          ...(siblings.length === 0 ? [] : [{ other, siblings: cuts ? siblings.subarray(32) : flipped }]),
          ...(other === null ? [] : [{ siblings, other: null }]),
          ...(other === null ? [] : [{ siblings, other: { ...other, valueHash: sha256(other.valueHash) } }]),
          ...(other === null ? [] : [{ siblings, other: { ...other, keyHash: sha256(other.keyHash) } }]),
        ];
        for (const proof of proofs) expect(judged({ ...chunk, proof }, tree.root, depth)).not.toBe('applied');
      }),
      RUNS,
    );
  });

  test('have one encoding, which a maker may write in two parts', () => {
    const { chunks, tree } = snapshotOf(stateOf(40), 3);
    for (const chunk of chunks) {
      const encoded = snapshotChunkCodec.encode(chunk);
      const inParts = concatBytes(encodeChunkContent(chunk.content), encodeChunkProof(chunk.proof));
      expect(equalBytes(encoded, inParts)).toBe(true);
      expect(judged(unwrap(snapshotChunkCodec.decode(encoded)), tree.root, 3)).toBe('applied');
    }
  });
});

/** @returns null where there is nothing to change so */
function changed(
  entries: readonly ChunkEntry[],
  kind: string,
  seed: number,
  others: readonly ChunkEntry[],
): readonly ChunkEntry[] | null {
  const place = seed % entries.length;
  const entry = entries[place] as ChunkEntry;
  switch (kind) {
    case 'value':
      return entries.with(place, { ...entry, value: concatBytes(entry.value, Uint8Array.of(0)) });
    case 'key':
      return entries.with(place, { ...entry, key: utf8(`another ${seed}`) });
    case 'missing':
      return entries.toSpliced(place, 1);
    case 'added':
      return [...entries, { key: utf8(`another ${seed}`), value: utf8('new') }];
    case 'doubled':
      return entries.toSpliced(place, 0, entry);
    case 'swapped':
      return entries.length < 2 ? null : [...entries.slice(1), entries[0] as ChunkEntry];
    default:
      return others.length === 0 || others[0] === entries[0] ? null : [...entries, others[0] as ChunkEntry];
  }
}

describe('where a path ends before the depth of the snapshot', () => {
  test('a state without entries has a chunk without entries, at any depth', () => {
    const { chunks, tree } = snapshotOf(new Map(), 2);
    expect(tree.root).toBe(ZERO_HASH);
    for (const chunk of chunks) {
      expect(chunk.proof).toEqual({ siblings: new Uint8Array(0), other: null });
      expect(judged(chunk, ZERO_HASH, 2)).toBe('applied');
    }
  });

  test('a state of one entry has it in one chunk, and its leaf as the other one in the rest', () => {
    const state = stateOf(1);
    const { chunks, tree } = snapshotOf(state, 2);
    const own = chunkIndexOf(sha256(utf8('key-0')), 2);
    for (const chunk of chunks) {
      expect(chunk.proof.siblings.length).toBe(0);
      expect(chunk.proof.other === null).toBe(chunk.content.index === own);
      expect(judged(chunk, tree.root, 2)).toBe('applied');
    }
  });

  test('the leaf of its own entry is not taken for that of another, which would withhold the entry', () => {
    const { chunks, tree } = snapshotOf(stateOf(1), 2);
    const holder = chunks.find(({ content }) => content.entries.length === 1) as SnapshotChunk;
    const entry = holder.content.entries[0] as ChunkEntry;
    const other = { keyHash: sha256(entry.key), valueHash: sha256(entry.value) };
    const withheld = { content: { ...holder.content, entries: [] }, proof: { ...holder.proof, other } };
    expect(judged(withheld, tree.root, 2)).toBe('chunk-malformed');
  });

  test('a leaf beside the path is not taken for its end', () => {
    const { chunks, tree } = snapshotOf(stateOf(3), 6);
    const ends = chunks.filter(({ proof }) => proof.other !== null && proof.siblings.length >= 32);
    const chunk = ends[0] as SnapshotChunk;
    const leaves = chunks.flatMap(({ content }) => content.entries);
    const others = leaves.map(({ key, value }) => ({ keyHash: sha256(key), valueHash: sha256(value) }));
    const own = chunk.proof.other?.keyHash ?? new Uint8Array(0);
    const other = others.find(({ keyHash }) => !equalBytes(keyHash, own)) ?? null;
    expect(judged({ ...chunk, proof: { ...chunk.proof, other } }, tree.root, 6)).not.toBe('applied');
  });

  test('entries beside the leaf of another chunk, and several entries above the depth, have no form', () => {
    const { chunks, tree } = snapshotOf(stateOf(1), 2);
    const empty = chunks.find(({ proof }) => proof.other !== null) as SnapshotChunk;
    const entry: ChunkEntry = { key: utf8('x'), value: utf8('y') };
    expect(judged({ ...empty, content: { ...empty.content, entries: [entry] } }, tree.root, 2)).toBe('chunk-malformed');
    const two = { content: { ...empty.content, entries: [entry, entry] }, proof: { ...empty.proof, other: null } };
    expect(judged(two, tree.root, 2)).toBe('chunk-malformed');
    const torn = { ...empty, proof: { ...empty.proof, siblings: new Uint8Array(31) } };
    expect(judged(torn, tree.root, 2)).toBe('chunk-malformed');
    const long = { ...empty, proof: { ...empty.proof, siblings: new Uint8Array(96) } };
    expect(judged(long, tree.root, 2)).toBe('chunk-malformed');
  });
});

describe('a chunk', () => {
  test('is refused for another place than it was asked for, though it is true', () => {
    const { chunks, tree } = snapshotOf(stateOf(40), 3);
    const chunk = chunks[5] as SnapshotChunk;
    expect(judged(chunk, tree.root, 3, 4)).toBe('chunk-misplaced');
    expect(judged({ ...chunk, content: { ...chunk.content, index: 4 } }, tree.root, 3, 4)).toBe('chunk-misplaced');
    expect(judged({ ...chunk, content: { ...chunk.content, index: 9 } }, tree.root, 3, 9)).toBe('chunk-misplaced');
  });

  test('is refused against the root of another state', () => {
    const { chunks } = snapshotOf(stateOf(40), 3);
    expect(judged(chunks[5] as SnapshotChunk, rootOf(stateOf(41)), 3)).toBe('chunk-mismatch');
  });

  test('is found by the first bits of a key hash', () => {
    const keyHash = Uint8Array.from([0b1010_0101, 0b1100_0011, ...new Uint8Array(30)]);
    expect(chunkIndexOf(keyHash, 0)).toBe(0);
    expect(chunkIndexOf(keyHash, 3)).toBe(0b101);
    expect(chunkIndexOf(keyHash, 10)).toBe(0b10_1001_0111);
    expect(finestIndexOf(keyHash)).toBe(0b1010_0101_1100_0011);
  });
});

describe('the depth', () => {
  const FINEST = 2 ** MAX_SNAPSHOT_DEPTH;

  test('is the least at which a chunk has its aim on average', () => {
    const spread = (total: number) => unwrap(depthFor(new Float64Array(FINEST).fill(total / FINEST)));
    expect(spread(0)).toBe(0);
    expect(spread(CHUNK_TARGET_BYTES)).toBe(0);
    expect(spread(CHUNK_TARGET_BYTES + 64)).toBe(1);
    expect(spread(300 * CHUNK_TARGET_BYTES)).toBe(9);
  });

  test('grows where many keys begin alike, and a state whose keys all do is refused', () => {
    const uneven = new Float64Array(FINEST).fill(1);
    uneven[0] = 0.6 * MAX_CHUNK_BYTES;
    uneven[FINEST / 8] = 0.6 * MAX_CHUNK_BYTES;
    // The average alone gives 4.
    expect(unwrap(depthFor(uneven))).toBe(4);
    uneven[1] = 0.6 * MAX_CHUNK_BYTES;
    expect(unwrap(depthFor(uneven))).toBe(MAX_SNAPSHOT_DEPTH);
    uneven[1] = MAX_CHUNK_BYTES;
    expect(codeOf(depthFor(uneven))).toBe('snapshot-state-uneven');
  });
});
