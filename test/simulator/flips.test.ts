/** What becomes of a validator on whose disk a bit flips: it goes on rightly, or stops by a code. */
import { describe, expect, test } from 'vitest';
import { AMPLE } from './cast.ts';
import { episodeOf, type Action } from './episode.ts';
import { fromMacrotask } from './scheduler.ts';
import { scriptOf } from './scenario.ts';
import { simulate, type SimulationResult } from './simulation.ts';
import { withVirtualGlobals } from './virtual-globals.ts';
import { World } from './world.ts';

const CAST = { submitters: 2, limits: AMPLE, twins: [], adversaries: [], lostDisks: [], badClocks: [] } as const;
const flip = { kind: 'flip', node: 2, table: 'M', place: 0 } as const;
const crash = { kind: 'crash', node: 2, how: 'process', atEffect: null, downMs: 20 } as const;

/** Some calm, then these things at once, twice with calm behind them. With this seed no write is on its way as the bit flips. */
function after(...actions: readonly Action[]): Promise<SimulationResult> {
  const quiet = { number: 0, stormMs: 200, actions: [] };
  const storm = { number: 1, stormMs: 200, actions: actions.map((action) => ({ atMs: 0, action })) };
  const again = { number: 2, stormMs: 200, actions: [{ atMs: 0, action: crash }] };
  const scenario = { seed: 4, validators: 4, commitDepth: 2, cast: CAST, episodes: [quiet, storm, again] } as const;
  return fromMacrotask(() => simulate({ ...scenario, rounds: Infinity, script: scriptOf(scenario) }));
}

const told = ({ tally }: SimulationResult) => [...tally.counts.keys()].filter((what) => what.includes('told by'));

describe('a validator on a disk with a flipped bit', () => {
  // In the order of their names: floor, head, identity, layout, migrations, safety.
  test.each<[string, Action, string[]]>([
    ['in its log', { ...flip, in: 'log' }, ['disk: damage told by store-corrupt']],
    ['in its floor', { ...flip, in: 'value' }, ['disk: damage told by store-corrupt']],
    ['in its head', { ...flip, in: 'value', place: 1 }, ['disk: damage told by store-corrupt']],
    ['in its layout version', { ...flip, in: 'value', place: 3 }, ['disk: damage told by store-corrupt']],
    ['in the key of its migrations', { ...flip, in: 'key', place: 4 }, ['disk: damage told by migration-unrecorded']],
    ['in a block of its store', { ...flip, in: 'block' }, ['disk: damage told by store-corrupt']],
    ['in its state', { ...flip, in: 'value', table: 'S' }, ['disk: damage told by state-root-mismatch']],
    ['in a key of its state', { ...flip, in: 'key', table: 'S' }, ['disk: damage told by state-root-mismatch']],
  ])('%s stops by a code when it starts, and again, and follows on a new disk', async (_where, action, codes) => {
    const result = await after(action, crash);
    expect(result.violation).toBeNull();
    expect(told(result)).toEqual(codes);
    expect(result.tally.of(codes[0]!)).toBe(2);
    expect(result.tally.of('this validator does not sign: safety-record-missing')).toBeGreaterThan(0);
  });

  test.each<[string, Action, string]>([
    ['in its safety record', { ...flip, in: 'value', place: 5 }, 'safety-record-corrupt'],
    [
      'in the last voted round of its record',
      { ...flip, in: 'value', place: 5 + 6 * (8 * 6 + 6) },
      'safety-record-corrupt',
    ],
    ['in the key of its safety record', { ...flip, in: 'key', place: 5 }, 'safety-record-missing'],
  ])('%s follows, and signs nothing more', async (_where, action, code) => {
    const result = await after(action, crash);
    expect(result.violation).toBeNull();
    expect(told(result)).toEqual([]);
    expect(result.tally.of(`this validator does not sign: ${code}`)).toBeGreaterThan(0);
  });

  test('in what it reads no more goes on', async () => {
    const result = await after({ ...flip, in: 'value', table: 'B' }, crash);
    expect(result.violation).toBeNull();
    expect(told(result)).toEqual([]);
  });
});

test('who stops by the same code without any flipped bit breaks a promise', async () => {
  const world = new World({ seed: 3, validators: 4, commitDepth: 2, submitters: 2 });
  await fromMacrotask(() =>
    withVirtualGlobals(world.scheduler, () => {
      world.startAll();
      world.runUntil(100);
      world.crash(2, 'process');
      world.node(2).disk.tables.get('M'.charCodeAt(0))?.delete('Mhead');
      world.start(2);
      world.runUntil(200);
    }),
  );
  expect(world.violation).toMatchObject({ checker: 'process', message: 'a process never gives up by itself' });
});

test('bits flip on the disks that may be lost, and on no others', () => {
  const all = Array.from({ length: 400 }, (_, number) => episodeOf(1, number, 7, { badClocks: [], lostDisks: [2, 5] }));
  const flips = all.flatMap(({ actions }) => actions).filter(({ action }) => action.kind === 'flip');
  expect(flips.length).toBeGreaterThan(20);
  expect(new Set(flips.map(({ action }) => 'node' in action && action.node))).toEqual(new Set([2, 5]));
  expect(new Set(flips.map(({ action }) => action.kind === 'flip' && action.in)).size).toBe(5);
});
