import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { toBase64 } from '../../src/base/base64.ts';
import { ok, refuse, unwrap } from '../../src/base/result.ts';
import { BlockLog, committedBlockOps, floorOps } from '../../src/ledger/block-log.ts';
import { formatGenesis } from '../../src/ledger/genesis.ts';
import { blockKey } from '../../src/ledger/layout.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import { ledgerDirectory } from '../../src/node/open-ledger.ts';
import { exportLines } from '../../src/node/projections/export.ts';
import type { StatisticsReport } from '../../src/node/projections/statistics-report.ts';
import { PastStates } from '../../src/node/projections/past-states.ts';
import { CATALOG } from '../../src/projections/catalog.ts';
import { Projector } from '../../src/projections/projector.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import { SealedChain } from '../ledger/chain.ts';
import { peerOf, START } from '../ledger/nodes.ts';
import { temporaryDirectory } from '../node/directory.ts';
import { startFakeNode } from './fake-node.ts';
import { run } from './terminal.ts';

const node = peerOf(1);

/** The directory of an observer that does not run, with its configuration. */
async function stopped(): Promise<{ chain: SealedChain; directory: string }> {
  const directory = await temporaryDirectory();
  const chain = new SealedChain();
  await writeFile(join(directory, 'genesis.json'), formatGenesis(chain.genesis));
  await writeFile(join(directory, 'config.json'), '{"genesis":"genesis.json","dataDirectory":"data"}');
  const store = await LevelStore.open(ledgerDirectory(join(directory, 'data')), { create: true });
  const log = await BlockLog.create(store, { chainId: chain.chainId, validatorKey: null }, chain.state);
  const change = (seq: number, version: string) => chain.event({ type: 'versionChanged', peerId: node, seq, version });
  const batches = [[chain.join(1), chain.join(2)], [change(2, '=1,"x"')], [change(3, 'v9')]];
  for (const events of batches) {
    chain.now += 100;
    const { changes, sealed } = chain.commit(events);
    await store.batch(committedBlockOps(sealed, changes), { sync: false });
  }
  const onStopped = (_: string, error: unknown) => {
    throw error;
  };
  const projector = await Projector.open({ store, log, projections: CATALOG, onStopped });
  await projector.caughtUp();
  await projector.close();
  await store.close();
  return { chain, directory };
}

test('the history of a node is told in pages, of a directory whose node does not run', async () => {
  const { directory } = await stopped();
  const told = await run(['history', node, '--config', 'config.json'], directory);
  expect(told.exit).toBe(0);
  expect(told.out.split('\n').map((line) => line.split(/ {2,}/).slice(1, 4))).toEqual([
    ['3', 'versionChanged', 'v9'],
    ['2', 'versionChanged', '=1,"x"'],
    ['1', 'joined', expect.stringContaining('v0.8.4')],
  ]);
  const first = await run(['history', node, '--limit', '2', '--json', '--config', 'config.json'], directory);
  expect(first.json()).toMatchObject({ peerId: node, height: 3, next: '2.0', entries: [{ height: 3 }, { height: 2 }] });
  const second = await run(['history', node, '--before', '2.0', '--json', '--config', 'config.json'], directory);
  expect(second.json()).toMatchObject({
    next: null,
    entries: [{ height: 1, index: 0, kind: 'joined', time: START + 100 }],
  });
  const wrong = await run(['history', node, '--before', 'yesterday', '--config', 'config.json'], directory);
  expect(wrong.code).toBe('request-invalid');
});

test('the counts of a ledger are told by a directory whose node does not run, and by a node that does', async () => {
  const { directory } = await stopped();
  const told = await run(['statistics', '--config', 'config.json'], directory);
  const day = new Date(START * 1000).toISOString().slice(0, 10);
  const nodes = '2: 2 joined, 0 left, 0 staked';
  expect([told.exit, told.out.split('\n').map((line) => line.trim().split(/ {2,}/))]).toEqual([
    0,
    [
      ['height', '3'],
      ['nodes', nodes],
      ['version v0.8.4', '1'],
      ['version v9', '1'],
      ['blocks', '4'],
      ['events', '4'],
      ['joined', '2'],
      ['versionChanged', '2'],
      [day, `4 blocks, 4 events (2 joined, 2 versionChanged); at its end ${nodes}`],
    ],
  ]);
  const report = (await run(['statistics', '--json', '--days', '0', '--config', 'config.json'], directory)).json();
  expect(report).toMatchObject({
    height: 3,
    versions: [
      { version: 'v0.8.4', nodes: 1 },
      { version: 'v9', nodes: 1 },
    ],
    days: [],
    epochs: [{ epoch: 0, firstHeight: 0, lastHeight: 3, events: 4 }],
  });

  const asked: unknown[] = [];
  const node = await startFakeNode(
    {},
    {
      statistics: (query) => {
        asked.push(query);
        return Promise.resolve(ok(report as StatisticsReport));
      },
    },
  );
  const running = await run(['statistics', '--json', '--days', '2', '--data', node.directory], directory);
  expect(running.json()).toEqual(report);
  expect(asked).toEqual([{ days: 2, epochs: 1 }]);
  expect((await run(['statistics', '--days', '-1', '--config', 'config.json'], directory)).exit).toBe(2);
});

test('a record at a height is verified, whether the node runs or not; a forged answer is refused', async () => {
  const { chain, directory } = await stopped();
  const at = await run(['get', node, '--at', '2', '--json', '--config', 'config.json'], directory);
  expect(at.json()).toMatchObject({ verified: true, height: 2, trust: 'quorum', node: { version: '=1,"x"' } });
  const absent = await run(['get', node, '--at', '0', '--json', '--config', 'config.json'], directory);
  expect(absent.json()).toMatchObject({ verified: true, height: 0, trust: 'genesis', node: null });
  const later = await run(['get', node, '--at', '4', '--config', 'config.json'], directory);
  expect(later.code).toBe('height-not-served');
  const elsewhere = await run(['get', node, '--at', '2', '--max-age', '5s', '--config', 'config.json'], directory);
  expect(elsewhere.exit).toBe(2);

  const store = await LevelStore.open(ledgerDirectory(join(directory, 'data')));
  const log = BlockLog.over(store, { chainId: chain.chainId, validatorKey: null });
  const past = new PastStates({
    store,
    log,
    first: () => Promise.resolve(chain.state),
    validatorsOf: () => chain.validators,
  });
  const answers = [unwrap(await past.answer(2, nodeKey(node))), unwrap(await past.answer(3, nodeKey(node)))];
  await store.close();
  const [ofTwo, ofThree] = answers.map((answer) => toBase64(answer)) as [string, string];
  const forged = toBase64(Uint8Array.from(answers[0]!, (byte, i) => (i === 40 ? byte ^ 1 : byte)));
  let answer = ofTwo;
  const running = await startFakeNode({}, { at: () => Promise.resolve(ok({ answer })) });
  const ask = () =>
    run(['get', node, '--at', '2', '--genesis', 'genesis.json', '--data', running.directory, '--json'], directory);
  expect((await ask()).json()).toMatchObject({ verified: true, height: 2, node: { version: '=1,"x"' } });
  answer = forged;
  expect((await ask()).exit).toBe(3);
  answer = ofThree;
  const other = await ask();
  expect([other.exit, other.json()]).toMatchObject([3, { error: { code: 'answer-of-another-height' } }]);
});

test('records and events are exported as lines, and as RFC 4180', async () => {
  const { chain, directory } = await stopped();
  const state = await run(['export', '--config', 'config.json'], directory);
  expect(state.err).toContain('records as of height 3');
  const records = state.out.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(records.map(({ peerId }) => peerId)).toEqual([peerOf(1), peerOf(2)].sort());
  expect(Object.keys(records[0]!).slice(0, 3)).toEqual(['multiaddrs', 'multiaddrsString', 'peerId']);
  const uptime = /"uptime":(\d+)/.exec(state.out)?.[1];
  expect(uptime).toBe('200000000000');

  const csv = await run(
    ['export', '--format', 'csv', '--what', 'events', '--from', '2', '--config', 'config.json'],
    directory,
  );
  const [head, ...lines] = csv.out.split('\n');
  expect(head).toBe(
    'height,blockTime,index,id,type,peerId,seq,time,multiaddrs,version,isTwitterScraper,isDiscordScraper,isTelegramScraper,isWebScraper,other,signature',
  );
  expect(lines).toHaveLength(2);
  expect(lines[0]).toContain(`2,${START + 200},0,${chain.sealedAt(2).block.events[0]?.id},versionChanged,${node},2,`);
  expect(lines[0]).toContain(`,"'=1,""x""",`);

  const events = await run(['export', '--what', 'events', '--to', '1', '--config', 'config.json'], directory);
  const parsed = events.out.split('\n').map((line) => JSON.parse(line) as { height: number; event: { type: string } });
  expect(parsed.map(({ event, height }) => [height, event.type])).toEqual([
    [1, 'joined'],
    [1, 'joined'],
  ]);
  expect((await run(['export', '--what', 'events', '--to', '9', '--config', 'config.json'], directory)).code).toBe(
    'height-not-served',
  );
  expect((await run(['export', '--from', '1', '--config', 'config.json'], directory)).exit).toBe(2);
});

/** Of RFC 4180, as a spreadsheet reads it. */
function fieldsOf(line: string): readonly string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
  );
}

test('records as RFC 4180 say what those of JSON say, field by field', async () => {
  const { chain, directory } = await stopped();
  const changes = [
    { type: 'versionChanged', peerId: node, seq: 4, version: '=1,"x"' },
    {
      type: 'addressesChanged',
      peerId: node,
      seq: 5,
      multiaddrs: ['/ip4/203.0.113.7/tcp/1', '/ip4/203.0.113.8/tcp/1'],
    },
    { type: 'left', peerId: peerOf(2), seq: 2 },
  ];
  const store = await LevelStore.open(ledgerDirectory(join(directory, 'data')));
  chain.now += 60;
  const { changes: written, sealed } = chain.commit(changes.map((fields) => chain.event(fields)));
  await store.batch(committedBlockOps(sealed, written), { sync: false });
  await store.close();

  const jsonl = await run(['export', '--config', 'config.json'], directory);
  const csv = await run(['export', '--format', 'csv', '--config', 'config.json'], directory);
  expect(csv.err).toContain('records as of height 4');
  const [head = '', ...lines] = csv.out.split('\n');
  expect(head).toBe(
    'multiaddrs,multiaddrsString,peerId,firstJoined,lastJoined,lastUpdated,uptime,uptimeStr,accumulatedUptime,accumulatedUptimeStr,ethAddress,activity,isActive,isStaked,isValidator,isTwitterScraper,isDiscordScraper,isTelegramScraper,isWebScraper,isLlmServer,version,workerTimeout,lastLeft,lastHeard,stakeAttestedAt,stakeReference',
  );
  const columns = head.split(',');
  const records = jsonl.out.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines).toHaveLength(records.length);
  for (const [index, record] of records.entries()) {
    // What a record leaves out is an empty field.
    const expected = columns.map((name) => {
      const value = record[name] ?? '';
      const text = Array.isArray(value) ? value.join(' ') : `${value as string | number | boolean}`;
      // No formula for a spreadsheet.
      return text.startsWith('=') ? `'${text}` : text;
    });
    expect(fieldsOf(lines[index] ?? '')).toEqual(expected);
  }
  const [mine] = lines.filter((line) => fieldsOf(line)[2] === node);
  expect(mine).toMatch(/^\/ip4\/203\.0\.113\.7\/tcp\/1 \/ip4\/203\.0\.113\.8\/tcp\/1,/);
  expect(mine).toContain(',260000000000,4 minutes,,,,,');
  expect(mine).toContain(`,"'=1,""x""",`);
  const [other] = lines.filter((line) => fieldsOf(line)[2] === peerOf(2));
  expect(other).toContain(',,,260000000000,4 minutes,,1,false,');
});

test.each(['=1', '+1', '-1', '@SUM(1)'])(
  'a version that a spreadsheet would run is quoted in csv alone: %s',
  async (version) => {
    const { chain, directory } = await stopped();
    const store = await LevelStore.open(ledgerDirectory(join(directory, 'data')));
    const { changes, sealed } = chain.commit([chain.join(3, { version })]);
    await store.batch(committedBlockOps(sealed, changes), { sync: false });
    await store.close();
    for (const what of [[], ['--what', 'events', '--from', '4']]) {
      const argv = ['export', ...what, '--config', 'config.json'];
      const csv = await run([...argv, '--format', 'csv'], directory);
      expect(csv.out.split('\n').flatMap(fieldsOf)).toContain(`'${version}`);
      expect((await run(argv, directory)).out).toContain(`"version":"${version}"`);
    }
  },
);

test('heights whose blocks were dropped are refused as such, with the oldest that is there; the history stays', async () => {
  const { directory } = await stopped();
  const store = await LevelStore.open(ledgerDirectory(join(directory, 'data')));
  const gone = [0, 1].map((height) => ({ kind: 'delete' as const, key: blockKey(height) }));
  await store.batch([...floorOps(2), ...gone], { sync: true });
  await store.close();
  const refused = { error: { code: 'blocks-pruned', details: { fromHeight: 1, oldest: 2, head: 3 } } };
  const at = await run(['get', node, '--at', '1', '--json', '--config', 'config.json'], directory);
  expect([at.exit, at.json()]).toMatchObject([1, refused]);
  const events = ['export', '--what', 'events', '--config', 'config.json'];
  expect((await run([...events, '--from', '1'], directory)).code).toBe('blocks-pruned');
  expect((await run([...events, '--from', '2'], directory)).out.split('\n')).toHaveLength(2);
  const told = await run(['history', node, '--json', '--config', 'config.json'], directory);
  expect(told.json()).toMatchObject({
    height: 3,
    entries: [{ height: 3 }, { height: 2 }, { height: 1, kind: 'joined' }],
  });
});

test('an export of a running node crosses the control socket; one that is cut off does not pass for whole', async () => {
  const { directory } = await stopped();
  let isCut = false;
  let closed = 0;
  async function* lines(): AsyncGenerator<string, void> {
    for (let line = 0; line < 2000; line++) {
      if (isCut && line === 1000) throw new Error('cut');
      yield `${'x'.repeat(999)}\n`;
    }
    await Promise.resolve();
  }
  const close = () => Promise.resolve(void closed++);
  const running = await startFakeNode(
    {},
    {
      export: () => Promise.resolve(ok({ height: 7, lines: lines(), close })),
      rebuild: (names) => (names[0] === 'nothing' ? refuse('projection-unknown', 'none') : ok({ projections: names })),
    },
  );
  const whole = await run(['export', '--data', running.directory], directory);
  expect([whole.exit, whole.out.replaceAll('\n', '').length]).toEqual([0, 2000 * 999]);
  expect(whole.err).toContain('height 7');
  isCut = true;
  const cut = await run(['export', '--data', running.directory], directory);
  expect([cut.exit, cut.code]).toEqual([1, 'export-cut-off']);
  await expect.poll(() => closed).toBe(2);
  const rebuilt = await run(['rebuild', 'node-history', '--data', running.directory], directory);
  expect(rebuilt.out).toContain('rebuilding node-history');
  expect((await run(['rebuild', 'nothing', '--data', running.directory], directory)).code).toBe('projection-unknown');
});

test('an export is of one height, whatever is committed while it is read', async () => {
  const directory = await temporaryDirectory();
  const chain = new SealedChain();
  const store = await LevelStore.open(directory, { create: true });
  const identity = { chainId: chain.chainId, validatorKey: null };
  await BlockLog.create(store, identity, chain.state);
  const commit = async (node: number) => {
    const { changes, sealed } = chain.commit([chain.join(node)]);
    await store.batch(committedBlockOps(sealed, changes), { sync: false });
  };
  for (let node = 0; node < 300; node++) await commit(node);
  const { close, height, lines } = await exportLines(store.pin(), identity, { what: 'state', format: 'jsonl' }, START);
  let text = '';
  for await (const piece of lines) {
    text += piece;
    await commit(1000 + text.length);
  }
  await close();
  await store.close();
  expect(height).toBe(300);
  expect(text.trimEnd().split('\n')).toHaveLength(300);
}, 30_000);
