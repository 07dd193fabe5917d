/** Checkers in a running world that is made wrong: each finds it, and with nothing wrong none does. */
import { describe, expect, test } from 'vitest';
import { equalBytes } from '../../src/base/bytes.ts';
import { HEAD_KEY, STATE_RANGE } from '../../src/ledger/layout.ts';
import type { StoreOperation } from '../../src/store/store.ts';
import { LivenessChecker } from './checkers/liveness.ts';
import { describeViolation } from './checkers/violation.ts';
import { fromMacrotask } from './scheduler.ts';
import { withVirtualGlobals } from './virtual-globals.ts';
import { World } from './world.ts';

describe('in a world', () => {
  /** Runs a small one for so long, then does this to it. */
  function afterMs(ms: number, act: (world: World) => void): Promise<World> {
    return fromMacrotask(() => {
      const world = new World({ seed: 3, validators: 4, commitDepth: 2, submitters: 2 });
      withVirtualGlobals(world.scheduler, () => {
        world.startAll();
        world.submitters.start();
        world.runUntil(ms);
        act(world);
      });
      return world;
    });
  }

  test('nothing is wrong with one that is left alone', async () => {
    const world = await afterMs(1_000, (left) => left.checkers.replay([left.node(0).life!]));
    expect(world.violation).toBeNull();
    expect(world.checkers.chain.height).toBeGreaterThan(5);
  });

  test('nothing is held against a disk whose head has a flipped bit, and the others are looked at', async () => {
    const world = await afterMs(1_000, (left) => {
      left.flip(2, { in: 'value', table: 'M', place: 1 });
      expect(() => left.node(2).life!.ledger!.log.head()).toThrow('the head has changed');
      left.checkers.replay(left.nodes.map(({ life }) => life!));
    });
    expect(world.violation).toBeNull();
    expect(world.tally.of('replay: rows compared')).toBeGreaterThanOrEqual(3);
  });

  test.each([
    ['the state is that of a replay', STATE_RANGE.gte[0]!],
    ['a projection equals its replay', 'P'.charCodeAt(0)],
  ])('replay: %s', async (message, tag) => {
    const world = await afterMs(1_000, (changed) => {
      changed.submitters.thinkMs = Infinity;
      changed.runUntil(5_000);
      const table = changed.node(1).disk.tables.get(tag)!;
      const [key] = Array.from(table).find(([name]) => name.includes('node/') || name.startsWith('P:'))!;
      table.set(key, new Uint8Array([1, 2, 3]));
      changed.checkers.replay([changed.node(1).life!]);
    });
    expect(world.violation).toMatchObject({ checker: 'replay', message });
  });

  test('durability: a disk that never syncs the head of the log', async () => {
    const world = await afterMs(500, (changed) => {
      const { disk } = changed.node(1);
      const apply = disk.apply.bind(disk);
      const isHead = ({ key }: StoreOperation) => equalBytes(key, HEAD_KEY);
      disk.apply = (operations, sync) => {
        apply(
          operations.filter((one) => !isHead(one)),
          sync,
        );
        apply(operations.filter(isHead), false);
      };
      changed.runUntil(2_000);
    });
    expect(world.violation).toMatchObject({ message: 'a block is durable before anybody is told of it' });
  });

  test('durability: a disk that is what it was a while ago', async () => {
    const world = await afterMs(500, (changed) => {
      const { disk } = changed.node(1);
      const before = Array.from(disk.tables, ([tag, table]) => [tag, new Map(table)] as const);
      changed.runUntil(1_000);
      changed.crash(1, 'power');
      for (const [tag, table] of before) disk.tables.set(tag, table);
      changed.start(1);
      changed.runUntil(2_000);
    });
    expect(world.violation).toMatchObject({ message: 'what a validator told of is in its log after a restart' });
  });

  test('bounds: a queue that grows while nothing is committed', async () => {
    const world = await afterMs(500, (stuck) => {
      for (const id of [2, 3]) stuck.crash(id, 'process');
      const { consensus } = stuck.node(1).life!;
      Object.defineProperty(consensus, 'waiting', { value: new Map([[0, 1_000_000]]) });
      stuck.runUntil(5_000);
    });
    expect(world.violation).toMatchObject({ checker: 'bounds', details: { by: 1, name: 'inboxMessages' } });
  });

  test('liveness: two of four that are gone for good stop everything, and it says what stands still', async () => {
    const world = await afterMs(500, (stuck) => {
      stuck.crash(1, 'process');
      stuck.crash(2, 'power');
      new LivenessChecker(stuck).check();
    });
    expect(world.violation).toMatchObject({ checker: 'liveness', message: 'a healed network makes progress' });
    expect(describeViolation(world.violation!)).toMatch(/1 down/);
  });

  test('liveness: one of four that stays behind, though the others go on', async () => {
    const world = await afterMs(500, (left) => {
      const { consensus } = left.node(1).life!;
      const status = consensus!.status.bind(consensus);
      consensus!.status = () => ({ ...status(), height: 1 });
      new LivenessChecker(left).check();
    });
    expect(world.violation).toMatchObject({ checker: 'liveness', message: 'a healed network makes progress' });
    expect(world.scheduler.nowMs).toBeLessThan(60_000);
  });

  test('liveness: one of four that is silent for good, though the others go on without it', async () => {
    const world = await afterMs(500, (silenced) => {
      const { consensus } = silenced.node(1).life!;
      const status = consensus!.status.bind(consensus);
      consensus!.status = () => ({ ...status(), silentBecause: 'its record was rolled back' });
      new LivenessChecker(silenced).check();
    });
    expect(world.violation).toMatchObject({ checker: 'liveness', message: 'a healed validator signs' });
    expect(world.violation!.details).toMatchObject({ id: 1, because: 'its record was rolled back' });
  });

  test('process: an error that nobody expected', async () => {
    const world = await afterMs(500, (broken) => {
      broken.crash(0, 'process');
      broken.node(0).disk.tables.get('B'.charCodeAt(0))!.clear();
      broken.start(0);
      broken.runUntil(600);
    });
    expect(world.violation).toMatchObject({ checker: 'process' });
  });
});
