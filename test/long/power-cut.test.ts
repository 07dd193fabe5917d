/**
 * Power cuts under load: every validator is killed at the same moment, and what was not synced is gone from the disks of
 * all of them. What was acknowledged must be there, and nobody may vote again where it has voted.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { TestNetwork } from '../e2e/harness.ts';
import { chainOf, historyFaults } from '../e2e/history.ts';
import { Load } from '../e2e/load.ts';
import { Reads } from '../e2e/reads.ts';
import { needs } from '../needs.ts';
import { canTrace, cutPower, filesOf, traced } from './power.ts';
import { more, resumes, verdict, type Course } from './verdict.ts';

const NODES = 6;
const CYCLES = 5;

test('of a trace, what was synced counts, and what was written after the sync began does not', () => {
  const trace = [
    '10  openat(AT_FDCWD</>, "/d/1.log", O_WRONLY|O_CREAT|O_TRUNC, 0644) = 7</d/1.log>',
    '10  write(7</d/1.log>, ""..., 100)    = 100',
    '11  fdatasync(7</d/1.log> <unfinished ...>',
    '10  write(7</d/1.log>, ""..., 50 <unfinished ...>',
    '11  <... fdatasync resumed>)          = 0',
    '10  <... write resumed>)              = 50',
    '10  openat(AT_FDCWD</>, "/d/tmp", O_WRONLY|O_CREAT|O_TRUNC, 0644) = 8</d/tmp>',
    '10  write(8</d/tmp>, ""..., 16)       = 16',
    '10  fdatasync(8</d/tmp>)              = 0',
    '10  rename("/d/tmp", "/d/CURRENT")    = 0',
    '10  openat(AT_FDCWD</>, "/d/2.log", O_WRONLY|O_CREAT|O_TRUNC, 0644) = 9</d/2.log>',
    '10  write(9</d/2.log>, ""..., 5)      = 5',
    '11  fdatasync(9</d/2.log> <unfinished ...>',
    '11  +++ killed by SIGKILL +++',
  ].join('\n');
  expect([...filesOf(trace)]).toEqual([
    ['/d/1.log', { writtenBytes: 150, syncedBytes: 100 }],
    ['/d/CURRENT', { writtenBytes: 16, syncedBytes: 16 }],
    ['/d/2.log', { writtenBytes: 5, syncedBytes: 0 }],
  ]);
});

test.runIf(needs('strace, and the right to trace', await canTrace()))(
  'what was acknowledged survives power cuts of all validators at once',
  { timeout: 12 * 60_000 },
  async () => {
    const seed = Number(process.env['SEED'] ?? 1);
    const random = new Random(seed);
    const traces = await mkdtemp(join(tmpdir(), 'hl-traces-'));
    onTestFinished(() => rm(traces, { recursive: true, force: true }));
    const traceOf = (name: string): string => join(traces, name);
    const settings = { log: { level: 'trace' } } as const;
    const through = (name: string): readonly string[] => traced(traceOf(name));
    const network = await TestNetwork.start({ observers: 0, settings, through });
    const validators = network.names();
    const load = new Load(network, NODES);
    const reads = new Reads(network, { seed, peerIds: load.authors.map(({ key }) => key.peerId) });
    const course: Course = { network, load, reads };
    const lost: number[] = [];
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      await more(load, 10 + random.below(40));
      await network.kill(...validators);
      for (const name of validators) lost.push(await cutPower(network, name, traceOf(name), random));
      await network.startNodes(validators);
      await resumes(course, `cycle ${cycle}, seed ${seed}, power cut`);
      const acknowledged = [...load.acknowledged];
      const some = random.pick(validators);
      await network.caughtUp(some);
      expect([cycle, historyFaults(await chainOf(network, some), acknowledged)]).toEqual([cycle, []]);
    }
    console.log(`bytes lost: ${lost.join(', ')}`);
    expect(Math.max(...lost)).toBeGreaterThan(0);
    await verdict(course);
  },
);
