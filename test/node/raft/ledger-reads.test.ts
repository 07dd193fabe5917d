import { beforeEach, describe, expect, test } from 'vitest';
import { unwrap } from '../../../src/base/result.ts';
import type { ReaderTrust } from '../../../src/ledger/verified-read.ts';
import { trustGenesis } from '../../../src/ledger/trusted-chain.ts';
import { ReadService } from '../../../src/node/read-service.ts';
import { VerifiedReader, type ReadSource } from '../../../src/node/verified-reader.ts';
import { nativeScheme } from '../../../src/qc/scheme-native.ts';
import { ENTRY_TYPES } from '../../../src/raft/messages.ts';
import { peerOf } from '../../ledger/nodes.ts';
import { Cluster, legacyCommand, nodeDataJson } from '../../ledger/raft-cluster.ts';
import { entry, Member } from './member.ts';

let cluster: Cluster;
let reads: ReadService;

beforeEach(async () => {
  cluster = new Cluster();
  const member = await Member.open(cluster);
  await member.apply([
    entry(1, ENTRY_TYPES.command, legacyCommand(peerOf(1), nodeDataJson(1))),
    entry(2, ENTRY_TYPES.command, legacyCommand(peerOf(2), nodeDataJson(2, { version: '' }))),
    entry(3, ENTRY_TYPES.noop, cluster.baseData()),
  ]);
  const { ledger } = member.ledger;
  if (ledger === null) throw new TypeError('behind BASE there is a ledger');
  reads = new ReadService(ledger, { f: 1, own: () => null, collect: () => Promise.resolve([]) });
  await member.apply([entry(4, ENTRY_TYPES.command, cluster.command(cluster.join(3)))]);
  reads.committed(member.told);
});

const member: ReadSource = {
  name: 'a member',
  ask: async (peerId) => {
    const answers = await reads.handle('a reader', { kind: 'records', peerIds: [peerId], withAge: true });
    return answers.ok ? { ok: true, value: answers.value[0] ?? new Uint8Array(0) } : answers;
  },
};
const keeper: ReadSource = { ...member, name: 'dht', isKeeper: true };
const ANY_AGE = { maxAgeMs: undefined, timeoutMs: 5_000 };

function readerWith(trust: ReaderTrust): VerifiedReader {
  const trusted = unwrap(trustGenesis(cluster.genesis, nativeScheme));
  const { parameters } = cluster.genesis;
  return new VerifiedReader({ trusted, parameters, scheme: nativeScheme, nowMs: () => cluster.now * 1000, trust });
}

describe('a record of a Raft cluster', () => {
  test('is read as the word of the member that served it, with who signed for it', async () => {
    const report = unwrap(await readerWith('crash-only').read(peerOf(3), [member], ANY_AGE));
    expect(report).toMatchObject({ verified: false, trust: 'crash-only', servedBy: 'a member', origin: 'event' });
    const imported = unwrap(await readerWith('crash-only').read(peerOf(1), [member], ANY_AGE));
    expect(imported).toMatchObject({ trust: 'crash-only', origin: 'import', lastSeq: 0, node: { version: 'v0.8.4' } });
    const kept = unwrap(await readerWith('crash-only').read(peerOf(2), [member], ANY_AGE));
    expect(kept).toMatchObject({ trust: 'crash-only', origin: null, node: null });
  });

  test('is asked for as a linearizable one by who takes no old answer, and of nobody who only keeps it', async () => {
    const asked: [string, boolean][] = [];
    const noting = (source: ReadSource): ReadSource => ({
      ...source,
      ask: (peerId, deadlineMs, linearizable) => {
        asked.push([source.name, linearizable]);
        return source.ask(peerId, deadlineMs, linearizable);
      },
    });
    const fresh = { maxAgeMs: 1_000, timeoutMs: 5_000 };
    const [ours, kept] = [noting(member), noting(keeper)];
    expect(unwrap(await readerWith('crash-only').read(peerOf(3), [ours], fresh)).ageMs).toBe(0);
    expect(unwrap(await readerWith('crash-only').read(peerOf(3), [ours], ANY_AGE)).ageMs).toBeNull();
    await readerWith('crash-only').read(peerOf(3), [kept], fresh);
    await readerWith('byzantine').read(peerOf(3), [ours], fresh);
    expect(asked).toEqual([
      ['a member', true],
      ['a member', false],
      ['dht', false],
      ['a member', false],
    ]);
  });

  test('is refused by a reader that believes a quorum alone', async () => {
    const read = await readerWith('byzantine').read(peerOf(3), [member], ANY_AGE);
    expect(read).toMatchObject({ ok: false, refusal: { code: 'trust-crash-only' } });
  });

  test('is never believed of whoever only keeps it', async () => {
    const reader = readerWith('crash-only');
    expect(await reader.read(peerOf(3), [keeper], ANY_AGE)).toMatchObject({ refusal: { code: 'trust-crash-only' } });
    const hinted = await reader.readFromHint(peerOf(3), keeper, () => [member], ANY_AGE);
    expect(hinted).toMatchObject({ refusal: { code: 'trust-crash-only', details: { servedBy: 'dht' } } });
  });
});
