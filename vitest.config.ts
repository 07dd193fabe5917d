import { defineConfig } from 'vitest/config';
import { groups, longGroup, type Group } from './scripts/groups.ts';

const long = process.env['LONG'] === '1';

export default defineConfig({
  test: {
    projects: (long ? [...groups, longGroup] : groups).map((group) => ({ test: projectOf(group) })),
    // By default one processor is left free, which on two is half of them.
    maxWorkers: '100%',
    coverage: { include: ['src/**/*.ts'] },
  },
});

function projectOf(group: Group) {
  return {
    name: group.name,
    include: group.folders.map((folder) => `test/${folder}/**/*.test.ts`),
    setupFiles: ['test/setup.ts'],
    testTimeout: group.alone || long ? 120_000 : 20_000,
    hookTimeout: group.alone ? 60_000 : 20_000,
    fileParallelism: !group.alone,
    isolate: !group.pure,
    sequence: { groupOrder: group.alone ? 1 : 0 },
  };
}
