/** Joining with snapshots of a true chain: what a liar can make of them, and what the genesis alone says of that. */
import { beforeAll, expect, test } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import type { SnapshotChecks } from '../../src/consensus/join-contract.ts';
import { encodeSealedBlock, makeBlock } from '../../src/ledger/block.ts';
import { encodeCommitProof } from '../../src/ledger/commit-proof.ts';
import { checkChunk, checkManifest } from '../../src/ledger/snapshot-checks.ts';
import { snapshotChunkCodec } from '../../src/ledger/snapshot-chunk.ts';
import type { SnapshotName } from '../../src/ledger/snapshot-offer.ts';
import { trustGenesis } from '../../src/ledger/trusted-chain.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { SealedChain } from '../ledger/chain.ts';
import { manifestBytesOf, snapshotOf } from '../ledger/snapshots.ts';
import { but, join, type FakeServer } from './joining-network.ts';

const DEPTH = 2;

interface MadeSnapshot {
  readonly of: SnapshotName;
  readonly manifest: Uint8Array;
  readonly chunks: readonly Uint8Array[];
}

let chain: SealedChain;
let checks: SnapshotChecks;
let older: MadeSnapshot;
let newer: MadeSnapshot;

beforeAll(() => {
  chain = new SealedChain();
  for (let node = 1; node <= 6; node++) chain.commit([chain.join(node)]);
  older = made(chain);
  for (let node = 7; node <= 12; node++) chain.commit([chain.join(node)]);
  newer = made(chain);
  const trusted = unwrap(trustGenesis(chain.genesis, nativeScheme));
  checks = {
    manifest: (of, bytes) => checkManifest(of, bytes, trusted, nativeScheme),
    chunk: (of, index, bytes) => checkChunk(of, index, bytes),
  };
});

function made(from: SealedChain): MadeSnapshot {
  const { height, stateRoot } = from.head.header;
  const { chunks } = snapshotOf(from.backing.entries, DEPTH);
  return {
    of: { height, stateRoot, depth: DEPTH },
    manifest: manifestBytesOf(from, DEPTH),
    chunks: chunks.map((chunk) => snapshotChunkCodec.encode(chunk)),
  };
}

function serving(snapshot: MadeSnapshot, of = snapshot.of): FakeServer {
  return (what) => {
    const afterMs = 10;
    if (what.kind === 'manifest') return { afterMs, bytes: snapshot.manifest };
    if (what.kind === 'chunk') return { afterMs, bytes: snapshot.chunks[what.index] as Uint8Array };
    return { afterMs, offer: { headHeight: 20, oldestBlock: 1, snapshots: [{ ...of, bytes: 1 }] } };
  };
}

/** The liar, alone at first: an honest server is there a little later, so that nobody helps the liar out. */
function joinedDespite(liar: FakeServer) {
  const late: FakeServer = (what, nowMs) => (nowMs < 50 ? 'never' : serving(newer)(what, nowMs));
  return join({ servers: { liar, honest: late }, checks });
}

test('a snapshot that a quorum sealed is taken, chunk by chunk', () => {
  const joined = join({ servers: { a: serving(newer), b: serving(newer) }, checks });
  expect(joined.outcome).toEqual({ kind: 'snapshot', of: expect.objectContaining(newer.of) as unknown });
  expect(joined.dropped).toEqual([]);
  expect([...joined.kept].sort(([a], [b]) => a - b).map(([, bytes]) => bytes)).toEqual(newer.chunks);
});

const forgeries: Readonly<Record<string, readonly [() => FakeServer, code: string]>> = {
  'a root of its own under a true seal': [
    () => {
      const { block, seal } = chain.sealedAt(12);
      const forged = makeBlock({ ...block.header, stateRoot: older.of.stateRoot }, block.events);
      const manifest = manifestBytesOf(chain, DEPTH, { sealed: encodeSealedBlock({ block: forged, seal }) });
      return serving({ ...older, manifest }, { ...newer.of, stateRoot: older.of.stateRoot });
    },
    'seal-names-another-block',
  ],
  'a seal of too few validators': [
    () => {
      const { block } = chain.sealedAt(12);
      const bytes = encodeCommitProof({ certificate: chain.certificateNaming(block, [0, 1]), descendants: [] });
      const sealed = encodeSealedBlock({ block, seal: { kind: 'hotstuff', bytes } });
      return serving({ ...newer, manifest: manifestBytesOf(chain, DEPTH, { sealed }) });
    },
    'quorum-missing',
  ],
  'a chain of its own': [
    () => {
      const other = new SealedChain({ validators: 5 });
      other.commit([other.join(1)]);
      const foreign = made(other);
      return serving(foreign, { ...foreign.of, height: 30 });
    },
    'snapshot-of-another-chain',
  ],
  'an old snapshot as a new one': [() => serving(older, { ...older.of, height: 19 }), 'snapshot-misnamed'],
  'chunks of an older height': [() => serving({ ...newer, chunks: older.chunks }), 'chunk-mismatch'],
  'one chunk in the place of another': [
    () => serving({ ...newer, chunks: newer.chunks.toReversed() }),
    'chunk-misplaced',
  ],
  'a chunk that was cut short': [
    () => serving({ ...newer, chunks: newer.chunks.map((chunk) => chunk.slice(0, -3)) }),
    'undecodable',
  ],
  'a chunk without one of its entries': [
    () => {
      const chunks = newer.chunks.map((bytes) => {
        const { content, proof } = unwrap(snapshotChunkCodec.decode(bytes));
        return snapshotChunkCodec.encode({ content: { ...content, entries: content.entries.slice(1) }, proof });
      });
      return serving({ ...newer, chunks });
    },
    'chunk-mismatch',
  ],
};

test.each(Object.entries(forgeries))(
  'who sends %s is dropped by code, and the state is the true one',
  (_, [lie, code]) => {
    const joined = joinedDespite(lie());
    expect(joined.dropped).toEqual([['liar', code]]);
    expect(joined.outcome?.kind).toBe('snapshot');
    const of = joined.outcome?.kind === 'snapshot' ? joined.outcome.of : older.of;
    const expected = of.height === newer.of.height ? newer : older;
    expect([...joined.kept].sort(([a], [b]) => a - b).map(([, bytes]) => bytes)).toEqual(expected.chunks);
  },
);

test('a liar alone leads to nothing', () => {
  const liar = but(serving(newer), 'chunk', (what, nowMs) => serving({ ...newer, chunks: older.chunks })(what, nowMs));
  const joined = join({ servers: { liar }, checks, limitMs: 9_000 });
  expect(joined.dropped).toEqual([['liar', 'chunk-mismatch']]);
  expect(joined.outcome).toBeNull();
  expect(joined.kept.size).toBe(0);
  expect(joined.joining.status().stuckBecause).toBe('join-unanswered');
});
