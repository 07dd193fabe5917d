import { expect, test } from 'vitest';
import { fromMacrotask } from '../scheduler.ts';
import { withVirtualGlobals } from '../virtual-globals.ts';
import { World } from '../world.ts';

/** A world under load in which the rows of node 1 stay behind, and its log does not. */
function whoseRowsStayBehind(act: (world: World) => void): Promise<World> {
  return fromMacrotask(() => {
    const world = new World({ seed: 3, validators: 4, commitDepth: 2, submitters: 2 });
    withVirtualGlobals(world.scheduler, () => {
      world.startAll();
      world.submitters.start();
      world.runUntil(500);
      const { disk } = world.node(1);
      const isRow = (key: Uint8Array) => key[0] === 'P'.charCodeAt(0);
      const apply = disk.apply.bind(disk);
      disk.apply = (operations, sync) =>
        apply(
          operations.filter(({ key }) => !isRow(key)),
          sync,
        );
      world.runUntil(1_500);
      act(world);
      world.checkers.replay([world.node(1).life!]);
    });
    return world;
  });
}

test('rows that are behind their log are compared with what they were at that height', async () => {
  const world = await whoseRowsStayBehind(() => undefined);
  expect(world.violation).toBeNull();
  expect(world.tally.of('replay: rows compared')).toBeGreaterThan(0);
  expect(world.tally.of('replay: rows too far behind to be compared')).toBe(0);
});

test('a wrong row is found in rows that are behind their log', async () => {
  const world = await whoseRowsStayBehind(({ nodes }) => {
    const rows = nodes[1]!.disk.tables.get('P'.charCodeAt(0))!;
    const [key] = [...rows.keys()].filter((name) => name.startsWith('P:'));
    rows.set(key!, new Uint8Array([1, 2, 3]));
  });
  expect(world.violation).toMatchObject({ checker: 'replay', message: 'a projection equals its replay' });
});
