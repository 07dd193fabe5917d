/**
 * Networks that fall apart and come together again: halves that can do nothing, a majority that goes on without the one
 * that is cut off, and links that carry packets in one direction only. Real sockets, packets that are gone, connections
 * that nobody closes.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { TestNetwork } from '../e2e/harness.ts';
import { Load } from '../e2e/load.ts';
import { Reads } from '../e2e/reads.ts';
import { eventually } from '../eventually.ts';
import { needs } from '../needs.ts';
import { canMakeNamespaces, Switch } from './namespaces.ts';
import { more, resumes, verdict, type Course } from './verdict.ts';

const NODES = 6;
const HOSTS = [1, 2, 3, 4];
const UNCHANGED_MS = 1_000;
const CUT_MS = 5_000;

test.runIf(needs('the right to make network namespaces', await canMakeNamespaces()))(
  'a network that falls apart and comes together again contradicts nothing',
  { timeout: 12 * 60_000 },
  async () => {
    const seed = Number(process.env['SEED'] ?? 1);
    const random = new Random(seed);
    const cables = await Switch.make(HOSTS.length);
    const settings = { log: { level: 'trace' } } as const;
    const network = await TestNetwork.start({ observers: 0, settings, ...cables.options() });
    const load = new Load(network, NODES);
    const reads = new Reads(network, { seed, peerIds: load.authors.map(({ key }) => key.peerId) });
    const course: Course = { network, load, reads };
    await more(load, 20);
    const took: string[] = [];
    const healed = async (what: string): Promise<void> => {
      await cables.heal();
      took.push(`${what}: ${await resumes(course, `${what}, seed ${seed}`)} ms`);
    };

    const [a = 0, b = 0, c = 0, d = 0] = random.shuffled(HOSTS);
    await cables.split([a, b], [c, d]);
    const heights = await settled(network, network.names());
    await delay(CUT_MS);
    expect(await heightsOf(network, network.names())).toEqual(heights);
    await healed('two and two');

    for (const alone of random.shuffled(HOSTS).slice(0, 2)) {
      const others = HOSTS.filter((host) => host !== alone);
      await cables.split([alone], others);
      const height = await settled(network, [`validator-${alone}`]);
      await more(load, 20);
      expect(await heightsOf(network, [`validator-${alone}`])).toEqual(height);
      await healed('three and one');
    }

    // Whom nobody hears still hears all; and the reverse.
    await cables.cut((from) => from === a);
    await more(load, 20);
    await healed('one that is not heard');
    await cables.cut((_, to) => to === b);
    await more(load, 20);
    await healed('one that hears nobody');

    // In a ring each hears one neighbour only, and there is no quorum anywhere.
    await cables.cut((from, to) => to !== (from % HOSTS.length) + 1);
    await delay(CUT_MS);
    await healed('a ring of one direction');

    for (let turn = 0; turn < 6; turn++) {
      const lost = new Map(HOSTS.map((host) => [host, random.shuffled(HOSTS).slice(0, 2)]));
      await cables.cut((from, to) => lost.get(from)?.includes(to) === true);
      await delay(500 + random.below(2_000));
    }
    await healed('directions that change');

    console.log(took.join(', '));
    await verdict(course);
  },
);

/** What had reached these before they were cut off is worked off when no height changes for a while. */
function settled(network: TestNetwork, names: readonly string[]): Promise<number[]> {
  return eventually(`${names.join(', ')} commit nothing more`, async () => {
    const before = await heightsOf(network, names);
    await delay(UNCHANGED_MS);
    const now = await heightsOf(network, names);
    return now.join() === before.join() ? now : undefined;
  });
}

function heightsOf(network: TestNetwork, names: readonly string[]): Promise<number[]> {
  return Promise.all(names.map(async (name) => (await network.status(name)).height));
}
