import { expect, test } from 'vitest';
import { joiningNode } from '../../../src/node/joining/joining-node.ts';
import { joinText, type JoinReport } from '../../../src/node/joining/join-report.ts';

const REPORT: JoinReport = {
  phase: 'chunks',
  height: 900,
  chunksKept: 3,
  chunks: 8,
  bytes: 3_000_000,
  bytesPerSecond: 1_500_000,
  headHeight: 1_000,
  servers: [
    { server: 'A', chunks: 3, bytes: 3_000_000, droppedBecause: null },
    { server: 'B', chunks: 0, bytes: 0, droppedBecause: 'chunk-mismatch' },
  ],
  stuckBecause: null,
  ownHeight: null,
};

test('a joining node tells how far it is, answers no read, and stops when it is told to', async () => {
  let stopped = false;
  const node = joiningNode({
    config: { role: 'observer' },
    chainId: 'test',
    peerId: 'C',
    startedAtMs: 1_000,
    nowMs: () => 5_000,
    peers: () => 2,
    join: () => REPORT,
    stop: () => {
      stopped = true;
    },
  });
  expect(node.status()).toMatchObject({ engine: 'joining', role: 'observer', upSeconds: 4, joining: REPORT });
  expect(await node.read('A', {})).toMatchObject({ refusal: { code: 'node-joining' } });
  expect(node.onCommit(() => undefined)()).toBeUndefined();
  await node.stop();
  expect(stopped).toBe(true);
});

test.each<[Partial<JoinReport>, string]>([
  [{ phase: 'asking' }, 'joining: asks 2 servers what they have'],
  [{ phase: 'manifest' }, 'joining: asks for the manifest of the snapshot at height 900'],
  [{ phase: 'chunks' }, 'joining: 3 of 8 chunks of height 900, 1.5 MB/s from 1 servers'],
  [{ phase: 'restoring' }, 'joining: puts the snapshot of height 900 into the ledger'],
  [{ phase: 'ended' }, 'joining: begins at height 900'],
  [{ stuckBecause: 'join-unserved' }, 'joining, stuck: join-unserved'],
])('of %o it says "%s", and who was dropped', (report, expected) => {
  expect(joinText({ ...REPORT, ...report })).toBe(`${expected}; dropped for what they sent: B`);
});
