import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, utf8 } from '../../src/base/bytes.ts';
import { ok, unwrap } from '../../src/base/result.ts';
import { decodeControlRecord, encodeControlRecord } from '../../src/ledger/control-record.ts';
import { firstState } from '../../src/ledger/genesis-state.ts';
import { decodeLegacyCommand } from '../../src/ledger/legacy-command.ts';
import { legacyRecord, rulesAtBase } from '../../src/ledger/legacy-record.ts';
import { inGoOrder, LegacyState } from '../../src/ledger/legacy-state.ts';
import { nodeEntryCodec, type NodeRecord } from '../../src/ledger/record.ts';
import { Replay } from '../../src/ledger/replay.ts';
import { StateTree } from '../../src/ledger/state-tree.ts';
import { legacyKey, nodeKey } from '../../src/ledger/state.ts';
import { legacyCommandBytes } from './legacy-commands.ts';
import { codeOf, peerOf, START } from './nodes.ts';
import { Cluster, legacyCommand, nodeDataJson, Replica } from './raft-cluster.ts';

const legacyOf = (...entries: readonly (readonly [key: string, json: string])[]) =>
  new LegacyState(entries.map(([key, json]) => [key, utf8(json)] as const));

function entryOf(replica: Replica, peerId: string) {
  const bytes = replica.backing.get(nodeKey(peerId));
  return bytes === undefined ? undefined : nodeEntryCodec.decodeOwn(bytes);
}

describe('the state at BASE', () => {
  test("is that of the genesis, with the older system's values beside it, under one root", () => {
    const cluster = new Cluster();
    const legacy = legacyOf(['color', '"blue"'], ['', '[1,2]']);
    const { backing, first, head } = new Replica(cluster, legacy);
    const expected = new StateTree();
    const changes = [
      ...firstState(cluster.genesis),
      { key: legacyKey('color'), value: utf8('"blue"') },
      { key: legacyKey(''), value: utf8('[1,2]') },
    ];
    expect(head.header).toMatchObject({
      height: 0,
      round: 10,
      stateRoot: expected.update(expected.empty, changes).root,
    });
    expect(first.changes).toHaveLength(changes.length);
    expect(backing.get(legacyKey('color'))).toEqual(utf8('"blue"'));
  });

  test('holds a record for nodeData that an import would take, and says that nobody signed it', () => {
    const replica = new Replica(
      new Cluster(),
      legacyOf([peerOf(1), nodeDataJson(1, { isStaked: true, isValidator: true })]),
    );
    expect(replica.first.imported).toBe(1);
    expect(entryOf(replica, peerOf(1))).toMatchObject({
      kind: 'record',
      origin: 'import',
      lastSeq: 0,
      stake: null,
      isTwitterScraper: true,
      firstJoined: START - 5000,
    });
    expect(replica.backing.get(legacyKey(peerOf(1)))).toBeDefined();
  });

  test('holds no record for what an import would refuse, and keeps the value', () => {
    const json = nodeDataJson(1, { lastUpdated: START + 50_000 });
    const replica = new Replica(new Cluster(), legacyOf([peerOf(1), json]));
    expect(replica.first.imported).toBe(0);
    expect(entryOf(replica, peerOf(1))).toBeUndefined();
    expect(replica.backing.get(legacyKey(peerOf(1)))).toEqual(utf8(json));
  });

  test("keeps the genesis' own record of a node", () => {
    const inGenesis = unwrap(legacyRecord(peerOf(1), utf8(nodeDataJson(1, { version: 'genesis' })), rules(START)));
    const cluster = new Cluster({ records: [inGenesis] });
    const replica = new Replica(cluster, legacyOf([peerOf(1), nodeDataJson(1, { version: 'cluster' })]));
    expect(entryOf(replica, peerOf(1))).toMatchObject({ version: 'genesis' });
  });

  test('begins no earlier than its records, whose clocks were a little ahead', () => {
    const cluster = new Cluster();
    const lastUpdated = cluster.now + 100;
    const replica = new Replica(cluster, legacyOf([peerOf(1), nodeDataJson(1, { lastUpdated })]));
    expect(replica.head.header.timestamp).toBe(lastUpdated);
    const applied = replica.apply({ index: 11, term: 2 }, cluster.command(cluster.join(1)));
    expect(applied.events[0]?.refusal).toBeNull();
    expect(entryOf(replica, peerOf(1))).toMatchObject({ origin: 'import', firstJoined: START - 5000, lastSeq: 1 });
  });

  test('is the same whatever the order in which the values came', () => {
    const cluster = new Cluster();
    const entries = Array.from({ length: 40 }, (_, node) => [peerOf(node), nodeDataJson(node)] as const);
    const one = new Replica(cluster, legacyOf(...entries));
    const other = new Replica(cluster, legacyOf(...entries.toReversed()));
    expect(one.head.id).toBe(other.head.id);
    expect(one.first.imported).toBe(40);
  });
});

const rules = (seconds: number) => rulesAtBase(new Cluster().genesis, seconds);
const judged = (key: string, json: string) => codeOf(legacyRecord(key, utf8(json), rules(START)));

describe('a value of the older system', () => {
  test.each([
    ['under another key than a peer id', 'color', nodeDataJson(1), 'legacy-key-not-a-peer'],
    ['of another node', peerOf(2), nodeDataJson(1), 'legacy-key-of-another-peer'],
    ['that is no object', peerOf(1), '["a"]', 'record-malformed'],
    ['that names a field twice', peerOf(1), `{"version":"a",${nodeDataJson(1).slice(1)}`, 'duplicate-key'],
    ['that is nested deeply', peerOf(1), `{"a":${'['.repeat(9)}${']'.repeat(9)}}`, 'too-deep'],
    ['that is large', peerOf(1), `"${'x'.repeat(40_000)}"`, 'too-large'],
    ['without a version', peerOf(1), nodeDataJson(1, { version: '' }), 'version-missing'],
    ['with times that contradict each other', peerOf(1), nodeDataJson(1, { firstJoined: START }), 'times-out-of-order'],
    ['from the future', peerOf(1), nodeDataJson(1, { lastUpdated: START + 121 }), 'time-in-future'],
    ['as it should be', peerOf(1), nodeDataJson(1), 'applied'],
  ])('%s becomes a record, or not: %s', (_what, key, json, code) => {
    expect(judged(key, json)).toBe(code);
  });

  test('in bytes that are no UTF-8 becomes no record', () => {
    const value = concatBytes(utf8('{"version":"'), Uint8Array.of(0xff), utf8('"}'));
    expect(codeOf(legacyRecord(peerOf(1), value, rules(START)))).toBe('undecodable');
  });

  test('of any form is judged without an exception', () => {
    const fields = fc.dictionary(
      fc.constantFrom(
        'peerId',
        'firstJoined',
        'lastUpdated',
        'version',
        'multiaddrs',
        'uptime',
        '__proto__',
        'activity',
      ),
      fc.oneof(fc.jsonValue(), fc.constantFrom(START, peerOf(1), 1e300, -1, '0001-01-01T00:00:00Z')),
    );
    fc.assert(
      fc.property(fields, (changed) => {
        const json = JSON.stringify({ ...(JSON.parse(nodeDataJson(1)) as object), ...changed });
        new Replica(new Cluster(), legacyOf([peerOf(1), json]));
      }),
      { numRuns: 100 },
    );
  });
});

describe('the state before BASE', () => {
  test('is the map that the commands make, one after another or together', () => {
    fc.assert(
      fc.property(fc.array(legacyCommandBytes, { maxLength: 20 }), (log) => {
        const commands = log.map((data) => decodeLegacyCommand(data)).flatMap((each) => (each.ok ? [each.value] : []));
        const together = new LegacyState();
        together.apply(commands);
        const oneByOne = new LegacyState();
        for (const command of commands) oneByOne.apply([command]);
        const model = new Map(commands.map(({ key, value }) => [key, value]));
        expect(new Map(together.values)).toEqual(model);
        expect(new Map(oneByOne.values)).toEqual(model);
        expect(together.root).toBe(oneByOne.root);
        expect(together.root).toBe(new LegacyState(model).root);
      }),
      { numRuns: 100 },
    );
  });

  test('is ordered as Go orders it: by UTF-8, where JavaScript orders by UTF-16', () => {
    const values = new Map(['\ufffd', '\u{1f600}', 'a', ''].map((key) => [key, utf8('1')]));
    expect(inGoOrder(values).map(([key]) => key)).toEqual(['', 'a', '\ufffd', '\u{1f600}']);
  });
});

describe('a control record', () => {
  const { baseData, baseRecord } = { baseData: new Cluster().baseData(), baseRecord: new Cluster().baseRecord() };

  test('is read back, and is no JSON', () => {
    expect(unwrap(decodeControlRecord(baseData))).toEqual(baseRecord);
    expect(codeOf(decodeLegacyCommand(baseData))).toBe('legacy-command-malformed');
  });

  test('is not what an election leaves, nor what others put into a no-op', () => {
    for (const data of [null, new Uint8Array(0), utf8('hotledger/'), utf8('{}')]) {
      expect(decodeControlRecord(data)).toEqual(ok(null));
    }
  });

  test('of another version stops whoever does not know it; a broken one is refused', () => {
    expect(codeOf(decodeControlRecord(utf8('hotledger/control/2\n')))).toBe('control-record-unknown');
    expect(codeOf(decodeControlRecord(baseData.subarray(0, -1)))).toBe('undecodable');
    expect(codeOf(decodeControlRecord(concatBytes(baseData, utf8('x'))))).toBe('undecodable');
  });

  test('names a time in seconds', () => {
    const late = encodeControlRecord({ ...baseRecord, timeSeconds: 1_724_673_600_000 });
    expect(codeOf(decodeControlRecord(late))).toBe('undecodable');
  });
});

describe('replay of a Raft epoch', () => {
  const cluster = new Cluster();
  const start = () => new LegacyState([[peerOf(1), utf8(nodeDataJson(1))]]);

  function history() {
    const replica = new Replica(cluster, start());
    const data = [
      cluster.command(cluster.join(1), cluster.join(2)),
      legacyCommand('color', '"blue"'),
      utf8('?'),
      cluster.command(cluster.event({ type: 'left', peerId: peerOf(2), seq: 2 })),
    ];
    return {
      replica,
      blocks: data.map((each, place) => replica.apply({ index: 11 + 2 * place, term: 3 }, each).sealed),
    };
  }

  function replayOf() {
    const { chainId, validators } = cluster;
    const { changes, sealed } = new Replica(cluster, start()).first;
    const genesis = { chainId, block: sealed.block, sealed, changes };
    return new Replay({ genesis, validatorsOf: () => validators });
  }

  test('ends at the same state', () => {
    const { blocks, replica } = history();
    const replay = replayOf();
    for (const block of blocks) unwrap(replay.step(block));
    expect(replay.head).toMatchObject({ id: replica.head.id, height: 4 });
    expect(replay.state.entries).toEqual(replica.backing.entries);
  });

  test('refuses a seal of another engine, of another entry, and a block that was left out', () => {
    const { blocks } = history();
    const [one, two, , four] = blocks as [
      (typeof blocks)[0],
      (typeof blocks)[0],
      (typeof blocks)[0],
      (typeof blocks)[0],
    ];
    expect(codeOf(replayOf().step({ ...one, seal: { kind: 'hotstuff', bytes: one.seal.bytes } }))).toBe(
      'seal-kind-unknown',
    );
    expect(codeOf(replayOf().step({ ...one, seal: { kind: 'raft', bytes: utf8('?') } }))).toBe('undecodable');
    expect(codeOf(replayOf().step({ ...one, seal: four.seal }))).toBe('raft-seal-mismatch');
    expect(codeOf(replayOf().step(two))).toBe('wrong-parent');
  });

  test('of a chain of HotStuff takes no Raft seal', () => {
    const { chainId, validators } = cluster;
    const { changes, sealed } = new Replica(cluster, start()).first;
    const genesis = {
      chainId,
      block: sealed.block,
      sealed: { ...sealed, seal: { kind: 'genesis', bytes: utf8('') } },
      changes,
    };
    const replay = new Replay({ genesis: genesis as never, validatorsOf: () => validators });
    expect(codeOf(replay.step(history().blocks[0] as never))).toBe('seal-kind-unknown');
  });
});

test('a record that the older system held, and its node signed for later, keeps what an import keeps', () => {
  const cluster = new Cluster();
  const replica = new Replica(cluster, new LegacyState([[peerOf(1), utf8(nodeDataJson(1))]]));
  const before = entryOf(replica, peerOf(1)) as NodeRecord;
  replica.apply({ index: 11, term: 2 }, cluster.command(cluster.join(1)));
  const after = entryOf(replica, peerOf(1)) as NodeRecord;
  expect(after.closedUptimeNs).toBeGreaterThanOrEqual(before.closedUptimeNs);
  expect(after).toMatchObject({ firstJoined: before.firstJoined, lastSeq: 1 });
});
