import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { textFromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { legacyKey, nodeKey } from '../../../src/ledger/state.ts';
import { ENTRY_TYPES, type Entry } from '../../../src/raft/messages.ts';
import { legacyCommand, Cluster, nodeDataJson } from '../../ledger/raft-cluster.ts';
import { peerOf } from '../../ledger/nodes.ts';
import { MemoryDisk, MemoryStore } from '../../store/memory-store.ts';
import { contentOf, entry, histories, inPieces, logOf, Member } from './member.ts';

const code = (expected: string) => expect.objectContaining({ code: expected }) as Error;
const command = (index: number, data: Uint8Array | null, term = 1) => entry(index, ENTRY_TYPES.command, data, term);
const noop = (index: number, data: Uint8Array | null, term = 1) => entry(index, ENTRY_TYPES.noop, data, term);

function partsOf(log: readonly Entry[], lengths: readonly number[]): readonly (readonly Entry[])[] {
  const parts: (readonly Entry[])[] = [];
  for (let from = 0, part = 0; from < log.length; part++) {
    const length = lengths[part % lengths.length] ?? 1;
    parts.push(log.slice(from, from + length));
    from += length;
  }
  return parts;
}

describe('the ledger under Raft', () => {
  test('is the same on three members that were given the log in different parts', async () => {
    const batchings = fc.array(fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 }), {
      minLength: 3,
      maxLength: 3,
    });
    await fc.assert(
      fc.asyncProperty(histories, batchings, async (history, lengths) => {
        const cluster = new Cluster();
        const log = logOf(cluster, history);
        const disks = lengths.map(() => new MemoryDisk());
        const members: Member[] = [];
        for (const [place, disk] of disks.entries()) {
          const member = await Member.open(cluster, new MemoryStore(disk));
          for (const part of partsOf(log, lengths[place] as readonly number[])) await member.apply(part);
          members.push(member);
        }
        const [one, ...others] = members as [Member, ...Member[]];
        for (const other of others) {
          expect(other.outcomes).toEqual(one.outcomes);
          expect(other.told.map(({ block }) => block.id)).toEqual(one.told.map(({ block }) => block.id));
          expect(other.ledger.stateRoot).toBe(one.ledger.stateRoot);
        }
        for (const disk of disks) expect(contentOf(disk)).toEqual(contentOf(disks[0] as MemoryDisk));
      }),
      { numRuns: 20 },
    );
  });

  test('restored from a snapshot at any index goes on as if it had applied all', async () => {
    await fc.assert(
      fc.asyncProperty(histories, fc.integer({ min: 1, max: 200 }), async (history, pieceBytes) => {
        const cluster = new Cluster();
        const log = logOf(cluster, history);
        const whole = await Member.open(cluster);
        for (let index = 0; index <= log.length; index++) {
          if (index > 0) await whole.apply(log.slice(index - 1, index));
          const snapshot = await whole.snapshot();
          const restored = await Member.open(cluster);
          await restored.restore(inPieces(snapshot, pieceBytes), index);
          expect(restored.ledger.stateRoot).toBe(whole.ledger.stateRoot);
          expect(await restored.snapshot()).toEqual(snapshot);
          const outcomes = await restored.apply(log.slice(index));
          const expected = await Member.open(cluster);
          await expected.apply(log);
          expect(outcomes).toEqual(expected.outcomes.slice(index));
          expect(await restored.snapshot()).toEqual(await expected.snapshot());
        }
      }),
      { numRuns: 6 },
    );
  });

  test('opened again stands where it stood', async () => {
    await fc.assert(
      fc.asyncProperty(histories, fc.nat(), async (history, place) => {
        const cluster = new Cluster();
        const log = logOf(cluster, history);
        const cut = log.length === 0 ? 0 : place % log.length;
        const disk = new MemoryDisk();
        const before = await Member.open(cluster, new MemoryStore(disk));
        for (const each of log.slice(0, cut)) await before.apply([each]);
        const again = await Member.open(cluster, new MemoryStore(disk));
        expect(again.applied).toBe(cut);
        expect(again.ledger.stateRoot).toBe(before.ledger.stateRoot);
        const outcomes = await again.apply(log.slice(cut));
        const whole = await Member.open(cluster);
        expect(outcomes).toEqual((await whole.apply(log)).slice(cut));
        expect(await again.snapshot()).toEqual(await whole.snapshot());
      }),
      { numRuns: 20 },
    );
  });
});

describe('before BASE', () => {
  test('there is what the commands of the older system say, and nothing else', async () => {
    const cluster = new Cluster();
    const member = await Member.open(cluster);
    const outcomes = await member.apply([
      noop(1, null),
      command(2, legacyCommand('b', '[1, 2]')),
      command(3, utf8('no JSON')),
      command(4, legacyCommand('a', '"<&>"')),
      command(5, cluster.command(cluster.join(1))),
      entry(6, ENTRY_TYPES.configuration, utf8('whatever')),
    ]);
    expect(
      outcomes.map((outcome) => (outcome.kind === 'value' ? (outcome.refusal?.code ?? null) : outcome.kind)),
    ).toEqual(['nothing', null, 'legacy-command-malformed', null, 'before-base', 'nothing']);
    expect(textFromUtf8(await member.snapshot())).toBe('{"a":"<&>","b":[1,2]}');
    expect(member.ledger.ledger).toBeNull();
    expect(member.told).toEqual([]);
  });

  test('an empty cluster has an empty map', async () => {
    expect(textFromUtf8(await (await Member.open(new Cluster())).snapshot())).toBe('{}');
  });

  test.each([
    ['{}', '{}'],
    [' { } ', '{}'],
    ['null', '{}'],
    ['{"b":1,"a":{"x":[ 1 ]}}', '{"a":{"x":[1]},"b":1}'],
    ['{"a":1,"a":2}', '{"a":2}'],
    ['{"\\ud800":"\\u003c"}', '{"\ufffd":"\\u003c"}'],
    ['{"hotledger/ledger/1":["AA=="]}', '{"hotledger/ledger/1":["AA=="]}'],
  ])('the snapshot %s of a member of the older system is restored', async (text, canonical) => {
    const member = await Member.open(new Cluster());
    await member.apply([command(1, legacyCommand('gone', '1'))]);
    await member.restore(inPieces(utf8(text), 3), 9);
    expect(textFromUtf8(await member.snapshot())).toBe(canonical);
    await member.apply([command(10, legacyCommand('\u{1f600}', '0'))]);
    expect(textFromUtf8(await member.snapshot())).toBe(
      canonical === '{}' ? '{"\u{1f600}":0}' : canonical.replace(/\}$/, ',"\u{1f600}":0}'),
    );
  });
});

describe('BASE', () => {
  test('is not taken back by a snapshot of who does not know it', async () => {
    const cluster = new Cluster();
    const member = await Member.open(cluster);
    await member.apply([noop(1, cluster.baseData()), command(2, cluster.command(cluster.join(3)))]);
    const { stateRoot } = member.ledger;
    await expect(member.restore(inPieces(utf8('{"a":1}'), 3), 9)).rejects.toMatchObject({
      code: 'snapshot-before-base',
      details: { base: 1, height: 1 },
    });
    expect(member.ledger.stateRoot).toBe(stateRoot);
    await member.apply([command(3, cluster.command(cluster.join(4)))]);
    expect(member.ledger.ledger?.machine.head.height).toBe(2);
  });

  test('makes the first block of the state as it stood, and each command behind it another', async () => {
    const cluster = new Cluster();
    const member = await Member.open(cluster);
    const outcomes = await member.apply([
      command(1, legacyCommand(peerOf(1), nodeDataJson(1))),
      noop(2, cluster.baseData()),
      command(3, cluster.command(cluster.join(1))),
      noop(4, cluster.baseData()),
      command(5, null),
    ]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['value', 'base', 'block', 'nothing', 'block']);
    expect(outcomes[1]).toMatchObject({ imported: 1 });
    expect(member.told.map(({ block }) => [block.header.height, block.header.round])).toEqual([
      [0, 2],
      [1, 3],
      [2, 5],
    ]);
    const { ledger } = member.ledger;
    expect(ledger).toMatchObject({ base: { index: 2, term: 1 }, firstHeight: 0 });
    expect(ledger?.log.head().height).toBe(2);
    expect(ledger?.machine.get(legacyKey(peerOf(1)))).toEqual(utf8(nodeDataJson(1)));
    expect(ledger?.machine.get(nodeKey(peerOf(1)))).toBeDefined();
    expect(member.told.at(0)?.changes.some(({ key }) => key.startsWith('legacy/'))).toBe(false);
  });

  test('of another genesis stops the member, which was given the wrong one', async () => {
    const member = await Member.open(new Cluster());
    const other = new Cluster({ validators: 5 });
    expect(() => member.applyInMemory([noop(1, other.baseData())])).toThrow(code('chain-mismatch'));
  });

  test.each([
    ['before BASE', []],
    ['behind it', [noop(1, new Cluster().baseData())]],
  ])('a control record of a later version %s stops the member', async (_when, before) => {
    const member = await Member.open(new Cluster());
    await member.apply(before);
    const later = noop(before.length + 1, utf8('hotledger/control/2\nwhatever'));
    expect(() => member.applyInMemory([later])).toThrow(code('control-record-unknown'));
  });

  test('in a command is none', async () => {
    const cluster = new Cluster();
    const member = await Member.open(cluster);
    const [outcome] = await member.apply([command(1, cluster.baseData())]);
    expect(outcome).toMatchObject({ kind: 'value', refusal: { code: 'legacy-command-malformed' } });
  });
});

describe('a data directory', () => {
  test('of a chain of HotStuff is refused, and one under Raft by the other engine', async () => {
    const { openLedgerOn } = await import('../../../src/node/open-ledger.ts');
    const cluster = new Cluster();
    const hotstuff = new MemoryDisk();
    await openLedgerOn(new MemoryStore(hotstuff), cluster.genesis, null);
    await expect(Member.open(cluster, new MemoryStore(hotstuff))).rejects.toThrow(code('consensus-mismatch'));
    const raft = new MemoryDisk();
    await Member.open(cluster, new MemoryStore(raft));
    await expect(openLedgerOn(new MemoryStore(raft), cluster.genesis, null)).rejects.toThrow(
      code('consensus-mismatch'),
    );
  });

  test('of another chain is refused', async () => {
    const disk = new MemoryDisk();
    await Member.open(new Cluster(), new MemoryStore(disk));
    await expect(Member.open(new Cluster({ validators: 5 }), new MemoryStore(disk))).rejects.toThrow(
      code('chain-mismatch'),
    );
  });

  test('in which a value of the older system changed is refused', async () => {
    const disk = new MemoryDisk();
    const member = await Member.open(new Cluster(), new MemoryStore(disk));
    await member.apply([command(1, legacyCommand('a', '1'))]);
    await member.store.batch([{ kind: 'put', key: utf8('Ga'), value: utf8('2') }], { sync: true });
    await expect(Member.open(new Cluster(), new MemoryStore(disk))).rejects.toThrow(code('state-root-mismatch'));
  });

  test('in which where the ledger stands changed is refused', async () => {
    const disk = new MemoryDisk();
    const { store } = await Member.open(new Cluster(), new MemoryStore(disk));
    const value = (store.get(utf8('Mraft-ledger')) as Uint8Array).map((byte, place) => (place === 9 ? byte ^ 1 : byte));
    await store.batch([{ kind: 'put', key: utf8('Mraft-ledger'), value }], { sync: true });
    await expect(Member.open(new Cluster(), new MemoryStore(disk))).rejects.toThrow(code('store-corrupt'));
  });
});
