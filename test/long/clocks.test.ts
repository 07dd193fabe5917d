/**
 * Clocks that jump while validators run: one by an hour forwards and backwards, two by an hour, then all of them back by
 * a minute and forwards again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { TestNetwork } from '../e2e/harness.ts';
import { Load } from '../e2e/load.ts';
import { Reads } from '../e2e/reads.ts';
import { needs } from '../needs.ts';
import { Clocks, LIBRARY } from './clocks.ts';
import { more, resumes, verdict, type Course } from './verdict.ts';

const NODES = 6;
const NAMES = ['validator-1', 'validator-2', 'validator-3', 'validator-4'];
const HOUR_SECONDS = 3_600;
const STOPPED_MS = 4_000;
/** Less than what a submitter's clock may differ by. */
const STEP_SECONDS = 60;

test.runIf(needs('libfaketime', LIBRARY !== undefined))(
  'validators whose clocks jump contradict nothing, and one whose clock is wrong stops nobody',
  { timeout: 12 * 60_000 },
  async () => {
    const clocks = await Clocks.make(NAMES);
    const settings = { log: { level: 'trace' } } as const;
    const network = await TestNetwork.start({ observers: 0, settings, through: clocks.through });
    const load = new Load(network, NODES);
    const reads = new Reads(network, { seed: 1, peerIds: load.authors.map(({ key }) => key.peerId) });
    const course: Course = { network, load, reads };
    await more(load, 20);
    const took: string[] = [];

    // It refuses events, rightly: they seem to be of another hour. So nobody turns to it, once the last answers are here.
    const [wrong = '', ...others] = NAMES;
    load.targets = others;
    await more(load, 2 * NODES);
    for (const seconds of [HOUR_SECONDS, -HOUR_SECONDS]) {
      await clocks.set(network, [wrong], seconds);
      await more(load, 40);
      await clocks.set(network, [wrong], 0);
      took.push(`${seconds} s and back: ${await resumes(course, `one clock was ${seconds} s off`)} ms`);
    }

    // Two of four: nothing commits that seems to be of another hour to half of the validators, until it does not.
    const two = [wrong, others[0] ?? ''];
    load.targets = others.slice(1);
    await more(load, 2 * NODES);
    await clocks.set(network, two, HOUR_SECONDS);
    const { length } = load.acknowledged;
    await delay(STOPPED_MS);
    expect(load.acknowledged.length - length).toBeLessThanOrEqual(NODES);
    await clocks.set(network, two, 0);
    took.push(`two by ${HOUR_SECONDS} s and back: ${await resumes(course, 'two clocks were an hour off')} ms`);
    load.targets = NAMES;
    await more(load, 20);

    for (const seconds of [-STEP_SECONDS, 0]) {
      await clocks.set(network, NAMES, seconds);
      took.push(`all at ${seconds} s: ${await resumes(course, `all clocks were set to ${seconds} s`)} ms`);
      await more(load, 20);
    }
    console.log(took.join(', '));
    await verdict(course, two);
  },
);
