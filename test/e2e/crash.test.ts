/**
 * Validators that are killed with -9: one under load, then all at once. What counts is what was acknowledged, and what
 * was signed, over all the lives of each process.
 */
import { expect, test } from 'vitest';
import { eventually } from '../eventually.ts';
import { ballotFaults, convictions, seenBallots } from './ballots.ts';
import { TestNetwork } from './harness.ts';
import { chainOf, historyFaults, lightReader, unreadable } from './history.ts';
import { Load } from './load.ts';

const NODES = 6;

test('validators killed with -9 lose nothing that was acknowledged, and never vote twice', async () => {
  const network = await TestNetwork.start({ observers: 0, settings: { log: { level: 'trace' } } });
  const validators = network.names();
  const load = new Load(network, NODES);
  const more = (count: number): Promise<true> => {
    const wanted = load.acknowledged.length + count;
    return eventually(`${count} more events are acknowledged`, () => load.acknowledged.length >= wanted || undefined);
  };
  await more(10);

  const [victim = '', ...others] = validators;
  const before = await network.status(victim);
  await network.kill(victim);
  load.targets = others;
  await more(20);

  await network.startNodes([victim]);
  const { height: missed } = await network.status(others[0] ?? '');
  await eventually(`${victim} has caught up and votes`, async () => {
    const { height, lastVotedRound } = await network.status(victim);
    return (height >= missed && lastVotedRound > before.lastVotedRound) || undefined;
  });
  const reader = await lightReader(network, others);
  const author = load.authors[0]?.key.peerId ?? '';
  await eventually(`${victim} is among the signers of a block`, async () => {
    const read = await reader.read(author, { maxAgeMs: undefined, timeoutMs: 10_000 });
    return (read.ok && read.value.signers.includes(network.node(victim).peerId)) || undefined;
  });

  load.targets = validators;
  await more(10);
  await network.kill(...validators);
  load.pause();
  await network.startNodes(validators);
  const { height } = await network.level(validators, load.highestAcknowledged());
  expect(historyFaults(await chainOf(network, victim), load.acknowledged)).toEqual([]);

  load.resume();
  await more(10);
  await load.finish();
  expect(load.refused).toEqual([]);
  await network.level(validators, Math.max(height + 1, load.highestAcknowledged()));
  expect(historyFaults(await chainOf(network, victim), load.acknowledged)).toEqual([]);
  expect(await unreadable(await lightReader(network, validators), load.acknowledged)).toEqual([]);
  const ballots = seenBallots(network);
  expect(ballots.length).toBeGreaterThan(100);
  expect(ballotFaults(ballots)).toEqual([]);
  expect(convictions(network)).toEqual([]);
});
