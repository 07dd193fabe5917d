/**
 * Kills under load, again and again, at moments that nobody chose: one validator, two at once, or all. After each, what
 * was acknowledged is held against the chain; at the end, everything that anybody ever signed or read.
 */
import { expect, test } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { TestNetwork } from '../e2e/harness.ts';
import { chainOf, historyFaults } from '../e2e/history.ts';
import { Load } from '../e2e/load.ts';
import { Reads } from '../e2e/reads.ts';
import { more, resumes, verdict, type Course } from './verdict.ts';

const CYCLES = 20;
const NODES = 8;
/** Events between two kills: a few blocks, another number each time. */
const EVENTS_MAX = 60;

test(
  'twenty kills under load, one after another, contradict nothing that was acknowledged',
  { timeout: 20 * 60_000 },
  async () => {
    const seed = Number(process.env['SEED'] ?? 1);
    const random = new Random(seed);
    const network = await TestNetwork.start({ observers: 0, settings: { log: { level: 'trace' } } });
    const validators = network.names();
    const load = new Load(network, NODES);
    const reads = new Reads(network, { seed, peerIds: load.authors.map(({ key }) => key.peerId) });
    const course: Course = { network, load, reads };
    const took: number[] = [];
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      await more(load, 1 + random.below(EVENTS_MAX));
      const victims = random.shuffled(validators).slice(0, random.pick([1, 1, 2, 4]));
      await network.kill(...victims);
      await network.startNodes(victims);
      took.push(await resumes(course, `cycle ${cycle}, seed ${seed}, ${victims.join(', ')} killed`));
      const acknowledged = [...load.acknowledged];
      const alive = random.pick(validators);
      await network.caughtUp(alive);
      expect([cycle, historyFaults(await chainOf(network, alive), acknowledged)]).toEqual([cycle, []]);
    }
    console.log(`going on took ${took.join(', ')} ms`);
    await verdict(course);
  },
);
