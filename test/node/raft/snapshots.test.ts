import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { concatBytes, textFromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { codec, struct, text } from '../../../src/base/codec.ts';
import { unwrap } from '../../../src/base/result.ts';
import { wholeValue } from '../../../src/ledger/go-json.ts';
import { ledgerChunkCodec, type LedgerChunk } from '../../../src/ledger/raft-snapshot.ts';
import { nodeKey } from '../../../src/ledger/state.ts';
import {
  chunkText,
  LEDGER_OPENING,
  MAX_SNAPSHOT_ITEM_BYTES,
  SnapshotText,
} from '../../../src/node/raft/snapshot-text.ts';
import { ENTRY_TYPES } from '../../../src/raft/messages.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import { peerOf } from '../../ledger/nodes.ts';
import { Cluster, legacyCommand, nodeDataJson } from '../../ledger/raft-cluster.ts';
import { MemoryDisk, MemoryStore } from '../../store/memory-store.ts';
import { temporaryDirectory } from '../directory.ts';
import { contentOf, entry, gathered, inPieces, Member } from './member.ts';

const code = (expected: string) => expect.objectContaining({ code: expected }) as Error;
const command = (index: number, data: Uint8Array | null) => entry(index, ENTRY_TYPES.command, data);
const base = (index: number, cluster: Cluster) => entry(index, ENTRY_TYPES.noop, cluster.baseData());

let cluster: Cluster;
beforeEach(() => {
  cluster = new Cluster();
});

/** At index 5: two values of the older system, one of which became a record, and two blocks. */
async function memberAfterBase(store = new MemoryStore()): Promise<Member> {
  const member = await Member.open(cluster, store);
  await member.apply([
    command(1, legacyCommand(peerOf(1), nodeDataJson(1))),
    command(2, legacyCommand('colour', '"blue"')),
    base(3, cluster),
    command(4, cluster.command(cluster.join(2), cluster.join(3))),
    command(5, legacyCommand('zoo', '[]')),
  ]);
  return member;
}

function chunksOf(snapshot: Uint8Array): LedgerChunk[] {
  const reading = new SnapshotText();
  const parts = [...reading.push(snapshot), ...reading.end()];
  return parts.flatMap((part) => (part.kind === 'chunk' ? [unwrap(ledgerChunkCodec.decode(part.chunk))] : []));
}

function snapshotOf(chunks: readonly Uint8Array[], values: string): Uint8Array {
  return concatBytes(
    LEDGER_OPENING,
    ...chunks.map((chunk, place) => chunkText(chunk, place === 0)),
    utf8(`]${values}}`),
  );
}

describe('a snapshot from BASE on', () => {
  test('is one JSON object, in which a member of the older system finds its values', async () => {
    const snapshot = await (await memberAfterBase()).snapshot();
    expect(wholeValue(snapshot)).toEqual({ from: 0, to: snapshot.length });
    const { 'hotledger/ledger/1': ledger, ...values } = JSON.parse(textFromUtf8(snapshot)) as Record<string, unknown>;
    expect(values).toEqual({ [peerOf(1)]: JSON.parse(nodeDataJson(1)), colour: 'blue', zoo: [] });
    expect(ledger).toBeInstanceOf(Array);
  });

  test('holds head, log hash and all of the state, and the log goes on from there', async () => {
    const member = await memberAfterBase();
    const disk = new MemoryDisk();
    const blank = await Member.open(cluster, new MemoryStore(disk));
    await blank.restore(inPieces(await member.snapshot(), 100), 5);
    const [own, other] = [blank.ledger.ledger, member.ledger.ledger];
    expect(own?.log.head()).toEqual(other?.log.head());
    expect(own).toMatchObject({ base: { index: 3, term: 1 }, firstHeight: 2 });
    expect(blank.replacements).toEqual([own]);
    const next = [command(6, cluster.command(cluster.join(4)))];
    expect(await blank.apply(next)).toEqual(await member.apply(next));
    const again = await Member.open(cluster, new MemoryStore(disk));
    expect(again.ledger.stateRoot).toBe(member.ledger.stateRoot);
  });

  test('takes the place of all that was there, whatever it was', async () => {
    const snapshot = await (await memberAfterBase()).snapshot();
    const [blankDisk, usedDisk] = [new MemoryDisk(), new MemoryDisk()];
    const blank = await Member.open(cluster, new MemoryStore(blankDisk));
    await blank.restore(inPieces(snapshot, 1000), 5);
    const used = await Member.open(cluster, new MemoryStore(usedDisk));
    await used.apply([
      command(1, legacyCommand('old', '1')),
      base(2, cluster),
      command(3, cluster.command(cluster.join(5))),
      command(4, cluster.command(cluster.join(6))),
    ]);
    await used.restore(inPieces(snapshot, 1000), 5);
    expect(contentOf(usedDisk)).toEqual(contentOf(blankDisk));
  });

  test('is that of its moment, whatever is applied and written while it is read', async () => {
    const disk = new MemoryDisk();
    const member = await memberAfterBase(new MemoryStore(disk));
    const expected = await member.snapshot();
    // Applied and not written yet; written while the snapshot is read; applied while it is read.
    const waiting = [command(6, cluster.command(cluster.join(4)))];
    const application = member.applyInMemory(waiting);
    const now = await member.ledger.snapshot();
    await member.write(waiting, application);
    await member.apply([command(7, legacyCommand('zoo', '"lion"')), command(8, cluster.command(cluster.join(7)))]);
    const read = await gathered(now);
    const upToSix = await memberAfterBase();
    await upToSix.apply(waiting);
    expect(read).toEqual(await upToSix.snapshot());
    expect(read).not.toEqual(expected);
  });

  test('before its first block is written holds it already', async () => {
    const member = await Member.open(cluster);
    const log = [command(1, legacyCommand('a', '1')), base(2, cluster), command(3, cluster.command(cluster.join(1)))];
    member.applyInMemory(log);
    const restored = await Member.open(cluster);
    await restored.restore(inPieces(await member.snapshot(), 64), 3);
    expect(restored.ledger.stateRoot).toBe(member.ledger.stateRoot);
  });

  test('of a store on a real disk is the same', async () => {
    const store = await LevelStore.open(await temporaryDirectory(), { create: true });
    const onDisk = await memberAfterBase(store as never);
    const inMemory = await memberAfterBase();
    expect(await onDisk.snapshot()).toEqual(await inMemory.snapshot());
    const later = [command(6, cluster.command(cluster.join(9)))];
    await onDisk.apply(later);
    await onDisk.restore(inPieces(await inMemory.snapshot(), 500), 5);
    expect(await onDisk.snapshot()).toEqual(await inMemory.snapshot());
    await store.close();
  });
});

describe('a snapshot that does not hold is refused, and nothing changes:', () => {
  async function refused(snapshot: Uint8Array, expected: string, pieceBytes = 64): Promise<void> {
    const member = await memberAfterBase();
    const before = await member.snapshot();
    await expect(member.restore(inPieces(snapshot, pieceBytes), 9)).rejects.toThrow(code(expected));
    expect(await member.snapshot()).toEqual(before);
    expect(member.ledger.isRestoring).toBe(false);
    await member.apply([command(6, cluster.command(cluster.join(4)))]);
    expect(member.ledger.ledger?.machine.get(nodeKey(peerOf(4)))).toBeDefined();
  }

  test.each([
    '',
    '{',
    '[]',
    '1',
    '{"a":1',
    '{"a":1}}',
    '{"a":1},',
    '{"a"}',
    '{"a":1,}',
    '{a:1}',
    '{"a":1]',
    '{,}',
    'nul',
  ])('the text %j', async (malformed) => {
    await refused(utf8(malformed), 'snapshot-malformed', 2);
  });

  test.each(['"AA=="', '"AA="', '"AB=="', 'AA==', '', '1', '"A"'])('a ledger with the part %j', async (part) => {
    const snapshot = concatBytes(LEDGER_OPENING, utf8(`${part}]}`));
    const expected = part === '"AA=="' ? 'undecodable' : part === '' ? 'snapshot-disordered' : 'snapshot-malformed';
    await refused(snapshot, expected);
  });

  test('cut off anywhere, with something behind it, and with any value changed', async () => {
    const snapshot = await (await memberAfterBase()).snapshot();
    await refused(snapshot.slice(0, -1), 'snapshot-malformed');
    await refused(snapshot.slice(0, snapshot.length >> 1), 'snapshot-malformed');
    await refused(concatBytes(snapshot, utf8('x')), 'snapshot-malformed');
    await refused(utf8(textFromUtf8(snapshot).replace('"blue"', '"green"')), 'state-root-mismatch');
    await refused(utf8(textFromUtf8(snapshot).replace(',"zoo":[]', '')), 'state-root-mismatch');
    await refused(utf8(textFromUtf8(snapshot).replace(',"zoo":[]', ',"zoo":[],"a":1')), 'snapshot-disordered');
  });

  test('its parts in another order, or twice, or of another chain', async () => {
    const chunks = chunksOf(await (await memberAfterBase()).snapshot());
    const [head, state] = chunks as [LedgerChunk & { kind: 'head' }, LedgerChunk & { kind: 'state' }];
    const encoded = (each: LedgerChunk) => ledgerChunkCodec.encode(each);
    const values = ',"zoo":[]';
    await refused(snapshotOf([encoded(state), encoded(head)], values), 'snapshot-disordered');
    await refused(snapshotOf([encoded(head), encoded(head)], values), 'snapshot-disordered');
    await refused(snapshotOf([encoded(head), encoded(state), encoded(state)], values), 'snapshot-disordered');
    const twice = { ...state, entries: [...state.entries, ...state.entries] };
    await refused(snapshotOf([encoded(head), encoded(twice)], values), 'snapshot-disordered');
    const disguised = { ...state, entries: [{ key: 'legacy/zoo', value: utf8('1') }] };
    await refused(snapshotOf([encoded(head), encoded(disguised)], values), 'snapshot-disordered');
    await refused(snapshotOf([encoded({ ...head, chainId: 'other' })], values), 'snapshot-of-another-chain');
    await refused(snapshotOf([encoded({ ...head, sealed: utf8('?') })], values), 'undecodable');
    await refused(snapshotOf([encoded(head)], values), 'state-root-mismatch');
  });

  test('of another genesis', async () => {
    const other = new Cluster({ validators: 5 });
    const stranger = await Member.open(other);
    await stranger.apply([base(1, other)]);
    await refused(await stranger.snapshot(), 'snapshot-of-another-chain');
  });

  test('of a block that HotStuff sealed', async () => {
    const { SealedChain } = await import('../../ledger/chain.ts');
    const { encodeSealedBlock } = await import('../../../src/ledger/block.ts');
    const chain = new SealedChain();
    const [head] = chunksOf(await (await memberAfterBase()).snapshot()) as [LedgerChunk & { kind: 'head' }];
    const sealed = encodeSealedBlock(chain.commit().sealed);
    await refused(snapshotOf([ledgerChunkCodec.encode({ ...head, sealed })], ''), 'seal-kind-unknown');
  });
});

test('a snapshot with a part that is larger than any is refused before it is all there', () => {
  const reading = new SnapshotText();
  reading.push(utf8('{"a":"'));
  const piece = utf8('x'.repeat(1024 * 1024));
  const pushAll = () => {
    for (let bytes = 0; bytes <= MAX_SNAPSHOT_ITEM_BYTES; bytes += piece.length) reading.push(piece);
  };
  expect(pushAll).toThrow(code('snapshot-malformed'));
});

test('a snapshot reads the same in pieces of any size, and ends or refuses whatever it is', () => {
  const shape = codec(struct<{ word: string }>({ word: text(9) }), 64);
  const chunk = chunkText(shape.encode({ word: 'ledger' }), true);
  const texts = fc.oneof(
    fc.json().map((json) => utf8(json)),
    fc.dictionary(fc.string(), fc.jsonValue()).map((values) => utf8(JSON.stringify(values, null, 1))),
    fc
      .dictionary(fc.string(), fc.jsonValue())
      .map((values) =>
        concatBytes(LEDGER_OPENING, chunk, utf8(`]${JSON.stringify({ a: 1, ...values }).replace('{', ',')}`)),
      ),
    fc.uint8Array({ maxLength: 30 }),
  );
  const partsOf = (snapshot: Uint8Array, size: number) => {
    const reading = new SnapshotText();
    const parts = [];
    try {
      for (let from = 0; from < snapshot.length; from += size)
        parts.push(...reading.push(snapshot.slice(from, from + size)));
      return [...parts, ...reading.end()];
    } catch (error) {
      return (error as { code?: string }).code;
    }
  };
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 40 }), (snapshot, size) => {
      expect(partsOf(snapshot, size)).toEqual(partsOf(snapshot, Math.max(1, snapshot.length)));
    }),
  );
});
