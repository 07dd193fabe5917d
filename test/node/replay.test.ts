import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { toHex, utf8 } from '../../src/base/bytes.ts';
import { makeBlock, type SealedBlock } from '../../src/ledger/block.ts';
import { committedBlockOps, headOps } from '../../src/ledger/block-log.ts';
import { headOf } from '../../src/ledger/genesis-state.ts';
import { blockKey, projectionKey, rangeOf, stateKey } from '../../src/ledger/layout.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import { ledgerDirectory } from '../../src/node/open-ledger.ts';
import type { LedgerReplayProgress } from '../../src/node/replay.ts';
import { CATALOG } from '../../src/projections/catalog.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import { run } from '../cli/terminal.ts';
import { entriesOf } from '../store/contract.ts';
import { temporaryDirectory } from './directory.ts';
import { KEYS, ledgerIn } from './ledger-directory.ts';
import { replayOf } from './replaying.ts';

describe('replaying a ledger', () => {
  test('ends at the same root, state and projections', async () => {
    const { config, chain } = await ledgerIn();
    const seen: LedgerReplayProgress[] = [];
    const report = await replayOf(config, { verifySignatures: true, onProgress: (progress) => seen.push(progress) });
    expect(report).toMatchObject({
      chainId: chain.chainId,
      height: 3,
      events: 3,
      stateRoot: chain.machine.head.stateRoot,
      from: { kind: 'genesis', height: 0 },
      resumedAt: null,
      compared: { state: { entries: 5, equal: true, firstDifference: null } },
      verified: { signatures: true, seals: true },
    });
    expect(seen.at(-1)).toEqual({ height: 3, headHeight: 3, events: 3, fromHeight: 0 });
  });

  test('stops at a block whose seal is of another block', async () => {
    let first: SealedBlock | undefined;
    const { config } = await ledgerIn({
      block: (sealed) => {
        first ??= sealed;
        return { ...sealed, seal: first.seal };
      },
    });
    await expect(replayOf(config)).rejects.toMatchObject({
      code: 'replay-seal-invalid',
      details: { height: 2 },
    });
    await expect(replayOf(config, { verifySeals: false })).resolves.toMatchObject({ height: 3 });
  });

  test('finds such a seal in a long log, whose seals are checked on threads', async () => {
    let before: SealedBlock | undefined;
    const { config } = await ledgerIn({
      emptyBlocks: 260,
      block: (sealed) => {
        const { seal } = (sealed.block.header.height === 200 ? before : undefined) ?? sealed;
        before = sealed;
        return { ...sealed, seal };
      },
    });
    await expect(replayOf(config)).rejects.toMatchObject({
      code: 'replay-seal-invalid',
      details: { height: 200 },
    });
  });

  test('stops at an event that its node did not sign', async () => {
    const { config } = await ledgerIn({ unsignedJoin: true });
    await expect(replayOf(config, { verifySignatures: true })).rejects.toMatchObject({
      code: 'replay-signature-invalid',
      details: { height: 4 },
    });
    await expect(replayOf(config)).resolves.toMatchObject({
      height: 4,
    });
  });

  test('finds a record that was changed on disk, and says so with an exit code of its own', async () => {
    const key = nodeKey(KEYS[1]?.peerId ?? '');
    const { chain, directory } = await ledgerIn({
      afterwards: [{ kind: 'put', key: stateKey(key), value: Uint8Array.of(1) }],
    });
    const { exit, json } = await run(
      ['replay', '--config', 'config.json', '--verify', 'seals', '--compare', '--json'],
      directory,
    );
    expect(exit).toBe(6);
    const record = chain.machine.get(key) as Uint8Array;
    expect(json()).toMatchObject({
      compared: {
        state: {
          equal: false,
          firstDifference: {
            key,
            replayed: { bytes: record.length, hex: toHex(record) },
            kept: { bytes: 1, hex: '01' },
          },
        },
      },
    });
    const told = await run(['replay', '--config', 'config.json', '--verify', 'seals', '--compare'], directory);
    expect(told.code).toBe('replay-differs');
    expect(told.err).toContain('not what the log gives: state at');
    expect(told.out).toMatch(/^state +DIFFERENT$/m);
    expect(told.out).toContain(`the first difference of state, at ${key}`);
  });

  test('finds a record that is gone from the disk', async () => {
    const key = stateKey(nodeKey(KEYS[1]?.peerId ?? ''));
    const { config } = await ledgerIn({ afterwards: [{ kind: 'delete', key }] });
    const report = await replayOf(config);
    expect(report.compared?.state).toMatchObject({
      equal: false,
      firstDifference: { key: nodeKey(KEYS[1]?.peerId ?? ''), kept: null },
    });
  });

  test('says at which height a block was altered, whatever is verified', async () => {
    for (const verifySeals of [true, false]) {
      const { config } = await ledgerIn({
        block: (sealed) => {
          const { block, seal } = sealed;
          if (block.header.height !== 2) return sealed;
          return { block: makeBlock({ ...block.header, timestamp: block.header.timestamp + 1 }, block.events), seal };
        },
      });
      await expect(replayOf(config, { verifySeals })).rejects.toMatchObject({
        code: verifySeals ? 'replay-seal-invalid' : 'state-root-mismatch',
        details: { height: 2 },
      });
    }
  });

  test('says at which height a block does not decode, or is missing', async () => {
    const garbled = await ledgerIn({ afterwards: [{ kind: 'put', key: blockKey(2), value: utf8('?') }] });
    await expect(replayOf(garbled.config)).rejects.toMatchObject({
      code: 'replay-block-undecodable',
      details: { height: 2 },
    });
    const missing = await ledgerIn({ afterwards: [{ kind: 'delete', key: blockKey(2) }] });
    await expect(replayOf(missing.config)).rejects.toMatchObject({ code: 'store-corrupt', details: { height: 2 } });
  });

  test('finds a head that is not the last block of the log', async () => {
    const other = await ledgerIn();
    const forged = other.chain.commit([]);
    const { config } = await ledgerIn({ afterwards: headOps(headOf(forged.sealed.block)) });
    await expect(replayOf(config, { to: 4 })).rejects.toMatchObject({ code: 'store-corrupt', details: { height: 4 } });
    const { block, seal } = other.chain.sealedAt(3);
    const twin = { block: makeBlock({ ...block.header, round: 99 }, block.events), seal };
    const twinned = await ledgerIn({ afterwards: headOps(headOf(twin.block)) });
    await expect(replayOf(twinned.config)).rejects.toMatchObject({ code: 'replay-head-differs' });
  });
});

describe('the projections of a replayed ledger', () => {
  const rowRange = rangeOf(projectionKey(utf8(':node-data')));

  test('are equal to those that grew with the log', async () => {
    const { config } = await ledgerIn({ projected: true });
    const { compared } = await replayOf(config);
    expect(compared?.projections.map(({ name, outcome }) => [name, outcome])).toEqual(
      CATALOG.map(({ name }) => [name, 'equal']),
    );
  });

  test('are compared where they stand, behind the head', async () => {
    const { config, chain } = await ledgerIn({ projected: true });
    const store = await LevelStore.open(ledgerDirectory(config.dataDirectory));
    const { changes, sealed } = chain.commit([]);
    await store.batch(committedBlockOps(sealed, changes), { sync: false });
    await store.close();
    const report = await replayOf(config);
    expect(report).toMatchObject({
      height: 4,
      compared: { state: { equal: true }, projections: CATALOG.map(() => ({ outcome: 'equal' })) },
    });
  });

  test('are told with the first row that differs, and replaced with --swap, one alone if it is named', async () => {
    const { config, directory } = await ledgerIn({ projected: true });
    const before = await rowsIn(config.dataDirectory);
    const [key, value] = before.at(-1) as readonly [Uint8Array, Uint8Array];
    const store = await LevelStore.open(ledgerDirectory(config.dataDirectory));
    await store.batch([{ kind: 'put', key, value: utf8('changed') }], { sync: false });
    await store.close();
    const argv = ['replay', '--config', 'config.json', '--verify', 'seals', '--compare', '--json'];
    const found = await run(argv, directory);
    expect(found.exit).toBe(6);
    const { compared } = (await found.json()) as { compared: { projections: unknown[] } };
    expect(compared.projections).toContainEqual({
      name: 'node-data',
      entries: before.length,
      outcome: 'different',
      firstDifference: {
        key: expect.stringMatching(/^[0-9a-f]+$/) as string,
        replayed: { bytes: value.length, hex: toHex(value) },
        kept: { bytes: 7, hex: toHex(utf8('changed')) },
      },
    });
    expect(await run([...argv, '--swap', '--projection', 'node-data'], directory)).toMatchObject({ exit: 6 });
    const swapped = await run([...argv, '--swap'], directory);
    expect(swapped.exit).toBe(0);
    expect(swapped.json()).toMatchObject({ swapped: [], place: null });
    const unasked = argv.filter((word) => word !== '--compare');
    expect(unasked).not.toEqual(argv);
    expect((await run([...unasked, '--swap'], directory)).json(), 'what is equal stays').toMatchObject({ swapped: [] });
    expect((await rowsIn(config.dataDirectory)).map(([, row]) => row)).toEqual(before.map(([, row]) => row));
  });

  async function rowsIn(dataDirectory: string): Promise<(readonly [Uint8Array, Uint8Array])[]> {
    const store = await LevelStore.open(ledgerDirectory(dataDirectory));
    const rows = await entriesOf(store, rowRange);
    await store.close();
    return rows;
  }

  test('are not compared where there are none, or of another version', async () => {
    const { config } = await ledgerIn();
    expect((await replayOf(config)).compared?.projections).toMatchObject(CATALOG.map(() => ({ outcome: 'absent' })));
    const { config: projected } = await ledgerIn({ projected: true });
    const newer = CATALOG.map((projection) => ({ ...projection, version: 99 }));
    expect((await replayOf(projected, { projections: newer })).compared?.projections).toMatchObject(
      CATALOG.map(() => ({ outcome: 'other-version' })),
    );
  });
});

describe('a replay that is given again', () => {
  test('goes on behind the last batch that is in its place, and says so', async () => {
    const { config, directory } = await ledgerIn();
    const part = await run(
      ['replay', '--data', 'data', '--into', 'at-2', '--verify', 'seals', '--to', '2', '--json'],
      directory,
    );
    expect(part.json()).toMatchObject({ height: 2, events: 2, compared: null, place: join(directory, 'at-2') });
    const notes: string[] = [];
    const into = join(directory, 'at-2');
    const report = await replayOf(config, { into, onNote: (note) => notes.push(note) });
    expect(report).toMatchObject({
      resumedAt: 2,
      height: 3,
      events: 3,
      eventsOfThisRun: 1,
      compared: { state: { equal: true } },
    });
    expect(notes).toEqual([`goes on at height 3: an earlier replay came to height 2 in ${into}`]);
    const again = await run(
      ['replay', '--data', 'data', '--into', 'at-2', '--verify', 'seals', '--compare'],
      directory,
    );
    expect(again.out).toMatch(/^from +genesis at height 0; this run went on behind height 3$/m);
  });

  test('begins anew where less was verified, or another thing was rebuilt, or more than is asked for', async () => {
    const { config, directory } = await ledgerIn();
    const into = join(directory, 'place');
    await replayOf(config, { into, verifySeals: false, compare: false });
    const notes: string[] = [];
    const begun = (more: Parameters<typeof replayOf>[1]) =>
      replayOf(config, { into, compare: false, onNote: (note) => notes.push(note), ...more });
    expect((await begun({})).resumedAt).toBeNull();
    expect((await begun({ projections: CATALOG.slice(1) })).resumedAt).toBeNull();
    expect((await begun({ projections: CATALOG.slice(1), to: 1 })).resumedAt).toBeNull();
    expect((await begun({ projections: CATALOG.slice(1), verifySeals: false })).resumedAt).toBe(1);
    await writeFile(join(into, 'replay.json'), '{');
    expect((await begun({})).resumedAt).toBeNull();
    expect(notes.map((note) => /as (.*)$/.exec(note)?.[1])).toEqual([
      'less of it was verified than is asked for now',
      'it is of other projections',
      'it came to height 3, above 1',
      undefined,
      'it was written by another version of the program',
    ]);
  });

  test('begins anew where its place was damaged', async () => {
    const { config, directory } = await ledgerIn();
    const into = join(directory, 'place');
    await replayOf(config, { into, compare: false });
    const store = await LevelStore.open(join(into, 'rebuilt'));
    await store.batch([{ kind: 'put', key: stateKey(nodeKey('x')), value: utf8('y') }], { sync: false });
    await store.close();
    expect(await replayOf(config, { into })).toMatchObject({ resumedAt: null, compared: { state: { equal: true } } });
  });

  test('never clears a directory that no replay made', async () => {
    const { config, directory } = await ledgerIn();
    await expect(replayOf(config, { into: directory })).rejects.toMatchObject({ code: 'replay-place-foreign' });
    expect(await replayOf(config, { into: await temporaryDirectory() })).toMatchObject({ height: 3 });
  });
});

describe('what a replay is asked for', () => {
  test('is a height that the log has', async () => {
    const { config } = await ledgerIn();
    await expect(replayOf(config, { to: 9 })).rejects.toMatchObject({
      code: 'replay-height-unknown',
      details: { height: 9, oldest: 0, head: 3 },
    });
    expect(await replayOf(config, { to: 0, compare: true })).toMatchObject({ height: 0, events: 0, compared: null });
  });

  test.each([
    [['--projection', 'nothing'], /there is no projection "nothing"; there are node-data/],
    [['--swap', '--to', '2'], /--swap needs the head/],
  ])('makes sense: %j', async (more, told) => {
    const { directory } = await ledgerIn();
    const refused = await run(['replay', '--data', 'data', ...more], directory);
    expect(refused).toMatchObject({ exit: 2, code: 'usage' });
    expect(refused.err).toMatch(told);
  });

  test('still takes the older flags, and says what takes their place', async () => {
    const { directory } = await ledgerIn({ unsignedJoin: true });
    const old = await run(['replay', '--config', 'config.json', '--no-signatures', '--json'], directory);
    expect(old.err).toContain('use --verify');
    expect(old.json()).toMatchObject({ height: 4, verified: { signatures: false, seals: true } });
    const level = await run(['replay', '--config', 'config.json', '--verify', 'none', '--json'], directory);
    expect(level.json()).toMatchObject({ height: 4, verified: { signatures: false, seals: false } });
    expect(await run(['replay', '--config', 'config.json'], directory)).toMatchObject({
      code: 'replay-signature-invalid',
    });
  });

  test('names the genesis where it does not lie beside the data', async () => {
    const { directory } = await ledgerIn();
    const elsewhere = await temporaryDirectory();
    await cp(join(directory, 'data'), join(elsewhere, 'copy', 'data'), { recursive: true });
    const argv = ['replay', '--data', 'copy/data', '--verify', 'none', '--json'];
    expect(await run(argv, elsewhere)).toMatchObject({ exit: 2 });
    const named = await run([...argv, '--genesis', join(directory, 'genesis.json'), '--compare'], elsewhere);
    expect(named).toMatchObject({ exit: 0 });
  });
});
