import { describe, expect, test } from 'vitest';
import { startFakeNode, STATUS } from './fake-node.ts';
import { run } from './terminal.ts';

describe('status', () => {
  test('prints facts for people, and the whole status as JSON', async () => {
    const { directory } = await startFakeNode();
    const told = await run(['status', '--data', '.'], directory);
    expect(told.exit).toBe(0);
    expect(told.out).toMatch(/^role +validator 2$/m);
    expect(told.out).toMatch(/^engine +hotstuff, epoch 0, round 12$/m);
    expect(told.out).toMatch(/^memory +140 MB$/m);
    expect(told.out).toMatch(/^processor time +61.0 s$/m);
    expect((await run(['status', '--data', '.', '--json'], directory)).json()).toEqual(STATUS);
  });

  test('exits with 1 when a component is not healthy, and JSON stays one object', async () => {
    const components = [{ name: 'network', healthy: false, detail: 'no connection' }] as const;
    const { directory } = await startFakeNode({ components });
    const told = await run(['status', '--data', '.'], directory);
    expect([told.exit, told.code]).toEqual([1, 'unhealthy']);
    expect(told.err).toContain('network: no connection');
    const { exit, json } = await run(['status', '--data', '.', '--json'], directory);
    expect([exit, json()]).toMatchObject([1, { components: [{ healthy: false }] }]);
  });
});
