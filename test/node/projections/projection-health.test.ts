import { expect, test } from 'vitest';
import { projectionHealth } from '../../../src/node/projections/projection-health.ts';

const STALE = {
  projections: [{ name: 'node-data', height: -1, state: 'stale' }],
  rebuild: null,
  rebuildFailure: null,
} as const;

test('projections that wait for a node to catch up are no illness, and those that nobody rebuilds are', () => {
  expect(projectionHealth(500, STALE, true)).toMatchObject({ healthy: true, detail: expect.stringContaining('wait') });
  expect(projectionHealth(500, STALE)).toMatchObject({ healthy: false, detail: expect.stringContaining('stale') });
});
