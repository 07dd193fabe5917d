/**
 * Processes that stop and go on, with every connection open: a machine that swaps, a debugger, a hypervisor that moves
 * its guest. One validator, the leader, two at once and all, again and again under load.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished, test } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { validatorNames } from '../e2e/ballots.ts';
import { TestNetwork } from '../e2e/harness.ts';
import { Load } from '../e2e/load.ts';
import { Reads } from '../e2e/reads.ts';
import { more, resumes, verdict, type Course } from './verdict.ts';

const NODES = 6;
const CYCLES = 5;
/** From less than a round to several of its time limits. */
const PAUSES_MS = [50, 600, 4_000];

test('validators that stop and go on under load contradict nothing', { timeout: 12 * 60_000 }, async () => {
  const seed = Number(process.env['SEED'] ?? 1);
  const random = new Random(seed);
  const network = await TestNetwork.start({ observers: 0, settings: { log: { level: 'trace' } } });
  const validators = network.names();
  onTestFinished(() => {
    for (const name of validators) if (network.process(name).end === undefined) network.signal(name, 'SIGCONT');
  });
  const load = new Load(network, NODES);
  const reads = new Reads(network, { seed, peerIds: load.authors.map(({ key }) => key.peerId) });
  const course: Course = { network, load, reads };
  await more(load, 20);

  const kinds: [what: string, victims: () => Promise<string[]>][] = [
    ['one', () => Promise.resolve([random.pick(validators)])],
    ['the leader', async () => [await leaderOf(network)]],
    ['two', () => Promise.resolve(random.shuffled(validators).slice(0, 2))],
    ['all', () => Promise.resolve([...validators])],
  ];
  const took: string[] = [];
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    for (const [what, choose] of kinds) {
      const victims = await choose();
      const others = validators.length - victims.length;
      for (const name of victims) network.signal(name, 'SIGSTOP');
      if (others >= 3) await more(load, 5);
      await delay(random.pick(PAUSES_MS));
      for (const name of victims) network.signal(name, 'SIGCONT');
      took.push(`${what}: ${await resumes(course, `cycle ${cycle}, seed ${seed}, ${what} stopped`)} ms`);
    }
  }
  console.log(took.join(', '));
  await verdict(course);
});

/** The validator whose turn it is, by the round that another one is in. */
async function leaderOf(network: TestNetwork): Promise<string> {
  const names = validatorNames(network);
  const { round } = await network.status(names[0] ?? '');
  return names[round % names.length] ?? '';
}
