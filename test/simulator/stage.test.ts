import { expect, test } from 'vitest';
import { fromMacrotask } from './scheduler.ts';
import { withVirtualGlobals } from './virtual-globals.ts';
import { World } from './world.ts';

test.each([
  ['power', 'crash: power, between two effects'],
  ['process', 'crash: between two effects'],
] as const)('a machine may lose %s at an effect, and goes on afterwards', async (how, counted) => {
  const world = new World({ seed: 3, validators: 4, commitDepth: 2, submitters: 2 });
  const { disk } = world.node(1);
  let cuts = 0;
  const powerCut = disk.powerCut.bind(disk);
  disk.powerCut = (lost) => {
    cuts++;
    powerCut(lost);
  };
  await fromMacrotask(() =>
    withVirtualGlobals(world.scheduler, () => {
      world.startAll();
      world.submitters.start();
      world.runUntil(500);
      world.performOn({ kind: 'crash', node: 1, how, atEffect: 40, downMs: 200 });
      world.runUntil(2_000);
    }),
  );
  expect(world.violation).toBeNull();
  expect(world.tally.of(counted)).toBe(1);
  expect(cuts).toBe(how === 'power' ? 1 : 0);
  expect(world.node(1).life?.consensus?.status().silentBecause).toBeNull();
});
