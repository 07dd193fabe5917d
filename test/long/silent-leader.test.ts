/** A validator that is silent but connected: each turn of it as leader costs one timeout, and the work goes on. */
import { expect, test } from 'vitest';
import { leaderOf } from '../../src/hotstuff/leader.ts';
import { eventually } from '../eventually.ts';
import { ballotFaults, seenBallots, validatorNames, type SeenBallot } from '../e2e/ballots.ts';
import { TestNetwork } from '../e2e/harness.ts';
import { chainOf, historyFaults } from '../e2e/history.ts';
import { Load } from '../e2e/load.ts';

const TURNS = 4;
/** Failed rounds in a row that a slow machine may add to the one of the silent leader. */
const MORE_FAILED_ROUNDS = 3;

test('a silent leader costs one timeout each turn, and catches up when it is back', async () => {
  const network = await TestNetwork.start({ observers: 0, settings: { log: { level: 'trace' } } });
  const validators = network.names();
  const [silent = '', ...others] = validators;
  const load = new Load(network, 4);
  await eventually('the network is at work', () => load.acknowledged.length >= 8 || undefined);
  load.targets = others;
  network.signal(silent, 'SIGSTOP');
  const committed = load.acknowledged.length;
  const since = (await network.status(others[0] ?? '')).round + 2;

  const index = validatorNames(network).indexOf(silent);
  const failed = await eventually(`${TURNS} turns of the silent leader are given up`, async () => {
    const turns = givenUp(seenBallots(network), since).filter(
      ({ round }) => leaderOf(0, round, validators.length) === index,
    );
    return new Set(turns.map(({ round }) => round)).size >= TURNS ? turns : undefined;
  });
  // The timer grows with the failed rounds since the last certificate; here there is one before most turns.
  const failedBefore = failed.map(({ round, highRound = 0 }) => round - 1 - highRound);
  expect(Math.max(...failedBefore)).toBeLessThanOrEqual(MORE_FAILED_ROUNDS);
  expect(Math.min(...failedBefore)).toBe(0);
  // Three of four rounds have a leader who proposes, and two in a row commit.
  expect(load.acknowledged.length - committed).toBeGreaterThanOrEqual(TURNS);
  const { round } = await network.status(others[0] ?? '');
  expect(round - since).toBeGreaterThanOrEqual(validators.length * (TURNS - 1));

  network.signal(silent, 'SIGCONT');
  const missed = await network.status(others[0] ?? '');
  await eventually('it has caught up and votes', async () => {
    const status = await network.status(silent);
    return (status.height >= missed.height && status.lastVotedRound >= missed.round) || undefined;
  });
  await load.finish();
  expect(load.refused).toEqual([]);
  await network.level(validators, load.highestAcknowledged());
  expect(historyFaults(await chainOf(network, silent), load.acknowledged)).toEqual([]);
  expect(ballotFaults(seenBallots(network))).toEqual([]);
});

function givenUp(ballots: readonly SeenBallot[], since: number): SeenBallot[] {
  return ballots.filter(({ ballot, round, seen }) => ballot === 'timeout' && seen === 'sent' && round >= since);
}
