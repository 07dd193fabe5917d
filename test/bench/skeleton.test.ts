import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { runSkeleton } from '../../bench/skeleton/main.ts';

it('the skeleton commits, the same blocks on all four processes, and says what it cost', async () => {
  const { latency, cpuPerCommitMs } = await runSkeleton({ warmUp: 5, commits: 5, eventBytes: 300 }, tmpdir());
  expect(latency.samples).toBe(5);
  expect(latency.p50Ms).toBeGreaterThan(0);
  expect(cpuPerCommitMs).toBeGreaterThan(0);
});
