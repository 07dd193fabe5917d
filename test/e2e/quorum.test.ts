/** Two of four validators are gone: nothing can be agreed on, so nothing is, and nothing is lost by it. */
import { expect, test } from 'vitest';
import { eventually } from '../eventually.ts';
import { ballotFaults, seenBallots, validatorNames } from './ballots.ts';
import { TestNetwork } from './harness.ts';
import { chainOf, historyFaults } from './history.ts';
import { authors, Submitters, type Acknowledgement, type Author } from './load.ts';

/** Rounds that a returning quorum may need: each fourth has a leader who is still gone. */
const A_FEW_ROUNDS = 12;

test('without a quorum nothing commits and submitters are told so; with one it goes on by itself', async () => {
  const network = await TestNetwork.start({ observers: 0, settings: { log: { level: 'trace' } } });
  const [here = '', alsoHere = '', first = '', second = ''] = network.names();
  const [one, two] = authors(network.chainId, 2) as [Author, Author];
  const submitters = new Submitters(network);
  const acknowledged: Acknowledgement[] = [await submitters.acknowledged(here, one.next())];
  const before = await network.level(network.names(), 1);

  // An event that two validators hold while the other two can no longer vote for it.
  for (const name of [first, second]) network.signal(name, 'SIGSTOP');
  const held = one.next();
  const answerOfHeld = submitters.submit(here, held);
  await eventually('two validators hold the event', async () => {
    const statuses = await Promise.all([here, alsoHere].map((name) => network.status(name)));
    return statuses.every(({ mempoolEvents }) => mempoolEvents === 1) || undefined;
  });
  await network.kill(first, second);
  await eventually('the loss is noticed', async () => !(await network.reachesQuorum(here)) || undefined);

  const other = two.next();
  expect(await submitters.submit(here, other)).toMatchObject({
    kind: 'refused',
    refusal: { code: 'no-quorum', details: { retryAfterMs: expect.any(Number) as number } },
  });
  const stuck = await network.status(here);
  const index = validatorNames(network).indexOf(here);
  await eventually('the round is given up, and nothing comes of it', () => {
    const timeouts = seenBallots(network).filter(({ ballot, round }) => ballot === 'timeout' && round === stuck.round);
    return timeouts.filter(({ seen, signer }) => seen === 'sent' && signer === index).length >= 2 || undefined;
  });
  const { height, stateRoot } = before;
  expect(await network.status(here)).toMatchObject({ round: stuck.round, height, stateRoot, mempoolEvents: 1 });

  await network.startNodes([first]);
  const status = await eventually('it goes on by itself', async () => {
    const now = await network.status(here);
    return now.height > before.height && now.idle ? now : undefined;
  });
  expect(status.round - stuck.round).toBeLessThanOrEqual(A_FEW_ROUNDS);
  // The first submitter waited all the time, or gave up; either way the same event can be sent again.
  const answer = await answerOfHeld;
  if (answer.kind === 'refused') expect(answer.refusal.code).toMatch(/^(no-quorum|not-committed-yet)$/);
  acknowledged.push(await submitters.acknowledged(here, held));
  // The one that was turned away at the door, and then once more: it is the same event, and committed once.
  acknowledged.push(await submitters.acknowledged(here, other), await submitters.acknowledged(here, other));

  await network.level([here, alsoHere, first], before.height + 1);
  expect(historyFaults(await chainOf(network, first), acknowledged)).toEqual([]);
  expect(ballotFaults(seenBallots(network))).toEqual([]);
});
