/**
 * Kills under load, again and again, at moments that nobody chose: one validator, two at once, or all. After each, what
 * was acknowledged is held against the chain; at the end, everything that anybody ever signed.
 */
import { expect, test } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { ballotFaults, convictions, seenBallots } from '../e2e/ballots.ts';
import { eventually, TestNetwork } from '../e2e/harness.ts';
import { chainOf, historyFaults, lightReader, unreadable } from '../e2e/history.ts';
import { Load } from '../e2e/load.ts';

const CYCLES = 20;
const NODES = 8;
/** Events between two kills: a few blocks, another number each time. */
const EVENTS_MAX = 60;

test(
  'twenty kills under load, one after another, contradict nothing that was acknowledged',
  { timeout: 12 * 60_000 },
  async () => {
    const seed = Number(process.env['SEED'] ?? 1);
    const random = new Random(seed);
    const network = await TestNetwork.start({ observers: 0, settings: { log: { level: 'trace' } } });
    const validators = network.names();
    const load = new Load(network, NODES);
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const wanted = load.acknowledged.length + 1 + random.below(EVENTS_MAX);
      await eventually(
        `cycle ${cycle}, seed ${seed}: events commit`,
        () => load.acknowledged.length >= wanted || undefined,
      );
      const victims = random.shuffled(validators).slice(0, random.pick([1, 1, 2, 4]));
      await network.kill(...victims);
      await network.startNodes(victims);
      const alive = random.pick(validators);
      const acknowledged = [...load.acknowledged];
      await network.caughtUp(alive);
      expect([cycle, historyFaults(await chainOf(network, alive), acknowledged)]).toEqual([cycle, []]);
    }
    await load.finish();
    expect(load.refused).toEqual([]);
    await network.level(validators, load.highestAcknowledged());
    for (const name of validators) expect(historyFaults(await chainOf(network, name), load.acknowledged)).toEqual([]);
    expect(await unreadable(await lightReader(network, validators), load.acknowledged)).toEqual([]);
    expect(ballotFaults(seenBallots(network))).toEqual([]);
    expect(convictions(network)).toEqual([]);
  },
);
