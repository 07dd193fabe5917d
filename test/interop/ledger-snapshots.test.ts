/** Snapshots of the ledger as Go reads them and writes them, before BASE and behind it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, textFromUtf8, toHex } from '../../src/base/bytes.ts';
import { ENTRY_TYPES } from '../../src/raft/messages.ts';
import { legacyCommandBytes, legacySnapshotBytes } from '../ledger/legacy-commands.ts';
import { peerOf } from '../ledger/nodes.ts';
import { Cluster, legacyCommand, nodeDataJson } from '../ledger/raft-cluster.ts';
import { entry, inPieces, Member } from '../node/raft/member.ts';
import { needsGo } from './go-build.ts';
import { canonicalWithGo, decodeWithGo } from './go-decode.ts';

const RUNS = process.env['LONG'] === '1' ? 50 : 3;

/** The map that Go holds after these commands, as it would write it. */
async function goSnapshot(commands: readonly Uint8Array[]): Promise<string> {
  const values = new Map<string, string>();
  for (const each of await decodeWithGo(commands)) if (each.taken) values.set(each.key, each.value);
  const members = Array.from(values, ([key, value]) =>
    Buffer.concat([Buffer.from(`${JSON.stringify(key)}:`), fromHex(value) as Uint8Array]),
  );
  const separated = members.flatMap((member, place) => (place === 0 ? [member] : [Buffer.from(','), member]));
  const [snapshot] = await canonicalWithGo([Buffer.concat([Buffer.from('{'), ...separated, Buffer.from('}')])]);
  return snapshot?.taken === true ? snapshot.canonical : 'refused';
}

describe.runIf(needsGo())('a snapshot', () => {
  test('before BASE is what Go writes that applied the same commands, byte for byte', async () => {
    const logs = fc.array(fc.oneof(legacyCommandBytes, fc.uint8Array({ maxLength: 12 })), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(logs, async (commands) => {
        const member = await Member.open(new Cluster());
        await member.apply(commands.map((data, place) => entry(place + 1, ENTRY_TYPES.command, data)));
        expect(toHex(await member.snapshot())).toBe(await goSnapshot(commands));
      }),
      { numRuns: RUNS },
    );
  });

  test('of Go is restored to the same map, in whatever form it was written', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(legacySnapshotBytes, { minLength: 20, maxLength: 40 }), async (snapshots) => {
        const canonical = await canonicalWithGo(snapshots);
        for (const [place, snapshot] of snapshots.entries()) {
          const member = await Member.open(new Cluster());
          await member.restore(inPieces(snapshot, 13), 1);
          expect(canonical[place]).toMatchObject({ taken: true, canonical: toHex(await member.snapshot()) });
        }
      }),
      { numRuns: RUNS },
    );
  });

  test('behind BASE is read by Go as its map and one value more', async () => {
    const cluster = new Cluster();
    const member = await Member.open(cluster);
    await member.apply([
      entry(1, ENTRY_TYPES.command, legacyCommand(peerOf(1), nodeDataJson(1))),
      entry(2, ENTRY_TYPES.noop, cluster.baseData()),
      entry(3, ENTRY_TYPES.command, cluster.command(cluster.join(2))),
      entry(4, ENTRY_TYPES.command, legacyCommand('a <b>', '"<c>"')),
    ]);
    const [read] = await canonicalWithGo([await member.snapshot()]);
    expect(read).toMatchObject({ taken: true, size: 3 });
    const map = JSON.parse(textFromUtf8(fromHex(read?.taken === true ? read.canonical : '') as Uint8Array)) as object;
    expect(Object.keys(map).sort()).toEqual([peerOf(1), 'a <b>', 'hotledger/ledger/1'].sort());
    expect(map).toMatchObject({ 'a <b>': '<c>', [peerOf(1)]: JSON.parse(nodeDataJson(1)) as object });
  });
});
