/** Two of four validators are gone: nothing can be agreed on, so nothing is, and nothing is lost by it. */
import { expect, test } from 'vitest';
import { simulatedKeys } from '../../src/cli/devnet/simulated-keys.ts';
import { ballotFaults, seenBallots, validatorNames } from './ballots.ts';
import { eventually, TestNetwork } from './harness.ts';
import { chainOf, historyFaults } from './history.ts';
import { Author, Submitters, type Acknowledgement } from './load.ts';

/** Rounds that a returning quorum may need: each fourth has a leader who is still gone. */
const A_FEW_ROUNDS = 12;

test('without a quorum nothing commits and submitters are told so; with one it goes on by itself', async () => {
  const network = await TestNetwork.start({ observers: 0, settings: { log: { level: 'trace' } } });
  const [here = '', alsoHere = '', first = '', second = ''] = network.names();
  const [one, two] = simulatedKeys(new Uint8Array(32).fill(9), 2, 0).map((key) => new Author(network.chainId, key));
  const submitters = new Submitters(network);
  const acknowledged: Acknowledgement[] = [];
  const submit = async (author = one, event = author?.next()) => {
    if (event === undefined) throw new Error('there are two authors');
    const answer = await submitters.submit(here, event);
    const { peerId, seq } = event.event;
    if (answer.kind === 'acknowledged') {
      acknowledged.push({ id: event.id, peerId, seq, height: answer.height, by: here });
    }
    return answer;
  };
  expect(await submit()).toMatchObject({ kind: 'acknowledged' });
  const before = await network.level(network.names(), 1);

  // An event that two validators hold while the other two can no longer vote for it.
  for (const name of [first, second]) network.signal(name, 'SIGSTOP');
  const held = one?.next();
  const answerOfHeld = submit(one, held);
  await eventually('two validators hold the event', async () => {
    const statuses = await Promise.all([here, alsoHere].map((name) => network.status(name)));
    return statuses.every(({ mempoolEvents }) => mempoolEvents === 1) || undefined;
  });
  await network.kill(first, second);
  await eventually('the loss is noticed', async () => {
    const { components } = await network.status(here);
    return components.find(({ name }) => name === 'consensus')?.healthy === false || undefined;
  });

  const other = two?.next();
  expect(await submit(two, other)).toMatchObject({
    kind: 'refused',
    refusal: { code: 'no-quorum', details: { retryAfterMs: expect.any(Number) as number } },
  });
  const index = validatorNames(network).indexOf(here);
  await eventually('the round is given up', async () => {
    const ballots = await seenBallots(network);
    return ballots.some(({ ballot, signer }) => ballot === 'timeout' && signer === index) || undefined;
  });
  const stuck = await network.status(here);
  expect(stuck).toMatchObject({ height: before.height, stateRoot: before.stateRoot, mempoolEvents: 1 });

  await network.startNodes([first]);
  const status = await eventually('it goes on by itself', async () => {
    const now = await network.status(here);
    return now.height > before.height && now.idle ? now : undefined;
  });
  expect(status.round - stuck.round).toBeLessThanOrEqual(A_FEW_ROUNDS);
  // The first submitter waited all the time, or gave up; either way the same event can be sent again.
  const answer = await answerOfHeld;
  if (answer.kind === 'refused') expect(answer.refusal).toMatchObject({ code: 'no-quorum' });
  expect(await submit(one, held)).toMatchObject({ kind: 'acknowledged' });
  await eventually('the event that was turned away is acknowledged', async () => {
    const again = await submit(two, other);
    return again.kind === 'acknowledged' || undefined;
  });
  expect(await submit(two, other)).toMatchObject({ kind: 'acknowledged' });

  await network.level([here, alsoHere, first], before.height + 1);
  expect(historyFaults(await chainOf(network, first), acknowledged)).toEqual([]);
  expect(ballotFaults(await seenBallots(network))).toEqual([]);
});
