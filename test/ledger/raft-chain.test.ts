import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { textFromUtf8, utf8 } from '../../src/base/bytes.ts';
import { sha256Hex } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import { decodeSealedBlock, encodeSealedBlock } from '../../src/ledger/block.ts';
import { encodeControlRecord } from '../../src/ledger/control-record.ts';
import { nextControls, nextLogHash, NO_CONTROLS } from '../../src/ledger/log-hash.ts';
import { encodeEventsCommand, MAX_COMMAND_BYTES, MAX_LEGACY_COMMAND_BYTES } from '../../src/ledger/raft-command.ts';
import { checkBaseSeal, checkRaftSeal, decodeRaftSeal } from '../../src/ledger/raft-seal.ts';
import { nodeEntryCodec } from '../../src/ledger/record.ts';
import { legacyKey, nodeKey } from '../../src/ledger/state.ts';
import { legacyCommandBytes } from './legacy-commands.ts';
import { codeOf, peerOf } from './nodes.ts';
import { Cluster, legacyCommand, Replica } from './raft-cluster.ts';

let cluster: Cluster;
let replica: Replica;

beforeEach(() => {
  cluster = new Cluster();
  replica = new Replica(cluster);
});

describe('a command from BASE on', () => {
  test('makes one block of the events that apply, and tells why the others do not', () => {
    const twice = cluster.join(2);
    const applied = replica.apply(
      { index: 11, term: 2 },
      cluster.command(cluster.join(1), twice, twice, cluster.event({ type: 'left', peerId: peerOf(3), seq: 1 })),
    );
    const { block } = applied.sealed;
    expect(block.events.map(({ event }) => event.peerId)).toEqual([peerOf(1), peerOf(2)]);
    expect(applied.events.map(({ refusal }) => refusal?.code)).toEqual([
      undefined,
      undefined,
      'already-applied',
      'not-joined',
    ]);
    expect(applied.refusal).toBeNull();
    expect(block.header).toMatchObject({ height: 1, round: 11, epoch: 0, proposer: '', timestamp: cluster.now });
    expect(replica.backing.get(nodeKey(peerOf(1)))).toBeDefined();
  });

  test("has its own time, or its parent's where that is later", () => {
    replica.apply({ index: 11, term: 2 }, cluster.command(cluster.join(1)));
    const { now } = cluster;
    cluster.now -= 50;
    const back = replica.apply({ index: 12, term: 2 }, cluster.command(cluster.join(2)));
    expect(back.sealed.block.header.timestamp).toBe(now);
    expect(back.events).toEqual([{ id: cluster.join(2).id, refusal: null }]);
  });

  test("of the older system changes its own state and no record, at its parent's time", () => {
    replica.apply({ index: 11, term: 2 }, cluster.command(cluster.join(1)));
    const before = replica.backing.get(nodeKey(peerOf(1)));
    const { now } = cluster;
    cluster.now += 500;
    const command = legacyCommand(peerOf(1), '{ "version": "v9" }', 'updateNodeData');
    const { sealed } = replica.apply({ index: 12, term: 2 }, command);
    expect(sealed.block).toMatchObject({ events: [], header: { height: 2, timestamp: now } });
    expect(textFromUtf8(replica.backing.get(legacyKey(peerOf(1))) as Uint8Array)).toBe('{"version":"v9"}');
    expect(replica.backing.get(nodeKey(peerOf(1)))).toBe(before);
  });

  test('of the older system that no seal has room for changes nothing', () => {
    const sized = (bytes: number) => legacyCommand('k', `"${'x'.repeat(bytes - legacyCommand('k', '""').length)}"`);
    const fits = replica.apply({ index: 11, term: 2 }, sized(MAX_LEGACY_COMMAND_BYTES));
    expect(fits.refusal).toBeNull();
    const over = replica.apply({ index: 12, term: 2 }, sized(MAX_LEGACY_COMMAND_BYTES + 1));
    expect(over).toMatchObject({ changes: [], refusal: { code: 'legacy-command-too-large' } });
  });

  test.each([
    ['nothing', null, 'legacy-command-malformed'],
    ['no bytes', new Uint8Array(0), 'legacy-command-malformed'],
    ['another version', Uint8Array.of(0xb1, 2, 0), 'command-version-unknown'],
    ['the first byte alone', Uint8Array.of(0xb1), 'command-version-unknown'],
    ['half of one', Uint8Array.of(0xb1, 1, 0x92), 'undecodable'],
    ['a time in milliseconds', encodeEventsCommand({ timeSeconds: 1_724_673_600_000, events: [] }), 'undecodable'],
    ['more than a block holds', new Uint8Array(MAX_COMMAND_BYTES + 1).fill(0xb1, 0, 1).fill(1, 1, 2), 'too-large'],
  ])('of %s makes an empty block', (_what, data, code) => {
    const { changes, refusal, sealed } = replica.apply({ index: 11, term: 2 }, data);
    expect(refusal?.code).toBe(code);
    expect(changes).toEqual([]);
    expect(sealed.block).toMatchObject({ events: [], header: { height: 1, stateRoot: replica.first.version.root } });
  });

  test('leaves out bytes that are no event of this chain', () => {
    const stranger = new Cluster({ validators: 5 }).join(1);
    const data = encodeEventsCommand({
      timeSeconds: cluster.now,
      events: [utf8('?'), stranger.bytes, cluster.join(2).bytes],
    });
    const { events, sealed } = replica.apply({ index: 11, term: 2 }, data);
    // The form of an event does not name its chain: that is what its signature is about, which the leader checks.
    expect(events.map(({ refusal }) => refusal?.code)).toEqual(['undecodable', undefined, undefined]);
    expect(sealed.block.events).toHaveLength(2);
  });

  test('may fill a block to its last byte', () => {
    const { bytes } = cluster.join(1);
    const events = Array.from({ length: 1990 }, () => bytes);
    const room = MAX_COMMAND_BYTES - encodeEventsCommand({ timeSeconds: cluster.now, events }).length;
    expect(room).toBeGreaterThan(0);
    const { sealed } = replica.apply({ index: 11, term: 2 }, encodeEventsCommand({ timeSeconds: cluster.now, events }));
    expect(unwrap(decodeSealedBlock(cluster.chainId, encodeSealedBlock(sealed))).block.id).toBe(sealed.block.id);
  });

  test('of any bytes throws nothing and is the same on every replica', () => {
    const commands = fc.array(
      fc.oneof(
        legacyCommandBytes,
        fc.uint8Array({ maxLength: 60 }),
        fc.uint8Array({ maxLength: 60 }).map((rest) => Uint8Array.of(0xb1, 1, ...rest)),
        fc
          .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 3 }), fc.nat(), fc.nat(255))
          .map(([node, seq, place, byte]) => {
            const data = cluster.command(cluster.join(node, seq));
            if (place % 3 === 0) data[place % data.length] = byte;
            return data;
          }),
      ),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(commands, (log) => {
        const [one, other] = [new Replica(cluster), new Replica(cluster)];
        for (const [place, data] of log.entries()) {
          const position = { index: 11 + place, term: 2 };
          expect(one.apply(position, data).sealed).toEqual(other.apply(position, data).sealed);
        }
        expect(one.head.header.height).toBe(log.length);
        expect(one.backing.entries).toEqual(other.backing.entries);
      }),
      { numRuns: 50 },
    );
  });
});

describe('the log hash', () => {
  test('of a block covers its entry, and the control records before it', () => {
    const data = cluster.command(cluster.join(1));
    const { header } = replica.head;
    const control = utf8('a record of a later time');
    replica.chain.applyControl({ index: 12, term: 3 }, control);
    const { sealed } = replica.apply({ index: 14, term: 3 }, data);
    const controls = nextControls({ controls: NO_CONTROLS, index: 12, term: 3, data: sha256Hex(control) });
    expect(sealed.block.header.justifyDigest).toBe(
      nextLogHash({ previous: header.justifyDigest, controls, index: 14, term: 3, data: sha256Hex(data) }),
    );
    expect(replica.chain.controls).toBe(NO_CONTROLS);
    const seal = unwrap(decodeRaftSeal(sealed.seal.bytes));
    expect(seal).toEqual({ index: 14, term: 3, controls, data: sha256Hex(data), carried: null });
    expect(unwrap(checkRaftSeal(sealed.block.header, seal, header.justifyDigest))).toEqual([]);
  });

  test('differs for the same blocks after another entry', () => {
    const others = new Replica(cluster, undefined, { index: 10, term: 3 });
    expect(others.head.header.stateRoot).toBe(replica.head.header.stateRoot);
    expect(others.chain.logHash).not.toBe(replica.chain.logHash);
    expect(others.head.id).not.toBe(replica.head.id);
  });
});

describe('a Raft seal', () => {
  test('that was changed in any part does not fit its block', () => {
    const legacy = legacyCommand('a', '1');
    const { sealed } = replica.apply({ index: 11, term: 2 }, legacy);
    const { header } = sealed.block;
    const parent = replica.first.sealed.block.header.justifyDigest;
    const seal = unwrap(decodeRaftSeal(sealed.seal.bytes));
    expect(unwrap(checkRaftSeal(header, seal, parent))).toHaveLength(1);
    const changed = [
      { ...seal, index: 12 },
      { ...seal, term: 3 },
      { ...seal, controls: header.stateRoot },
      { ...seal, data: header.stateRoot },
      { ...seal, carried: legacyCommand('a', '2') },
      { ...seal, carried: cluster.command() },
    ];
    for (const other of changed) expect(codeOf(checkRaftSeal(header, other, parent))).toBe('raft-seal-mismatch');
    const otherHeaders = [
      { ...header, round: 12 },
      { ...header, epoch: 1 },
      { ...header, proposer: peerOf(1) },
      { ...header, nextValidatorSet: header.stateRoot },
      { ...header, eventsRoot: header.stateRoot },
    ];
    for (const other of otherHeaders) expect(codeOf(checkRaftSeal(other, seal, parent))).toBe('raft-seal-mismatch');
  });

  test('of the block at BASE holds the record that all begins with', () => {
    const { block, seal } = replica.first.sealed;
    const decoded = unwrap(decodeRaftSeal(seal.bytes));
    expect(decoded).toMatchObject({ index: 10, term: 2, data: sha256Hex(cluster.baseData()) });
    expect(unwrap(checkBaseSeal(block.header, decoded))).toEqual(cluster.baseRecord());
    const other = encodeControlRecord({ ...cluster.baseRecord(), timeSeconds: 1 });
    const foreign = encodeControlRecord({ ...cluster.baseRecord(), chainId: 'other' });
    const changed = [
      { ...decoded, term: 1 },
      { ...decoded, controls: block.header.stateRoot },
      { ...decoded, carried: null },
      { ...decoded, carried: other },
      { ...decoded, carried: foreign, data: sha256Hex(foreign) },
    ];
    for (const seals of changed) expect(codeOf(checkBaseSeal(block.header, seals))).toBe('raft-seal-mismatch');
  });
});

test('a record of the ledger is signed by its node, whatever the older system says of it', () => {
  replica.apply({ index: 11, term: 2 }, cluster.command(cluster.join(1)));
  replica.apply({ index: 12, term: 2 }, legacyCommand(nodeKey(peerOf(1)), '"forged"'));
  const entry = nodeEntryCodec.decodeOwn(replica.backing.get(nodeKey(peerOf(1))) as Uint8Array);
  expect(entry).toMatchObject({ kind: 'record', origin: 'event' });
});
