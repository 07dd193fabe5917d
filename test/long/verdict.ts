/**
 * What every test of real faults ends with, whatever the faults were; and that a network goes on within a bounded time
 * once a fault is over.
 */
import { expect } from 'vitest';
import { ballotFaults, convictions, seenBallots } from '../e2e/ballots.ts';
import type { TestNetwork } from '../e2e/harness.ts';
import { chainOf, historyFaults } from '../e2e/history.ts';
import { linearizabilityFaults } from '../e2e/linearizability.ts';
import type { Load } from '../e2e/load.ts';
import type { Reads } from '../e2e/reads.ts';
import { eventually } from '../eventually.ts';

/** Timers have grown and connections have backed off while the fault lasted; both are bounded. */
const RESUMES_WITHIN_MS = 45_000;

export interface Course {
  readonly network: TestNetwork;
  readonly load: Load;
  readonly reads: Reads;
}

/** Waits for more events, each acknowledged. */
export async function more(load: Load, count: number, deadlineMs = RESUMES_WITHIN_MS): Promise<void> {
  const wanted = load.acknowledged.length + count;
  const done = (): true | undefined => load.acknowledged.length >= wanted || undefined;
  await eventually(`${count} more events are acknowledged`, done, deadlineMs);
}

/**
 * A fault is over: an event that is sent after it commits, and every validator has what was acknowledged, and signs.
 *
 * @returns how long that took, milliseconds
 */
export async function resumes({ network, load }: Course, what: string): Promise<number> {
  const startedMs = Date.now();
  const missed = load.highestAcknowledged();
  const fresh = (): true | undefined => {
    const sent = new Set(load.submissions.filter(({ sentMs }) => sentMs > startedMs).map(({ id }) => id));
    return load.acknowledged.some(({ id }) => sent.has(id)) || undefined;
  };
  await eventually(`${what}: an event commits`, fresh, RESUMES_WITHIN_MS);
  for (const name of network.names('validator')) {
    const { lastVotedRound } = await network.status(name);
    const back = async (): Promise<true | undefined> => {
      const status = await network.status(name);
      return (status.height >= missed && status.lastVotedRound > lastVotedRound) || undefined;
    };
    await eventually(
      `${what}: ${name} has what it missed, and votes`,
      back,
      startedMs + RESUMES_WITHIN_MS - Date.now(),
    );
  }
  return Date.now() - startedMs;
}

/**
 * The load ends; roots agree; nothing that was acknowledged is lost, moved or doubled, in anybody's chain; what was read
 * and acknowledged is one history; and nobody signed two things for one round.
 *
 * @param wrongClocks validators whose clocks were wrong
 */
export async function verdict({ network, load, reads }: Course, wrongClocks: readonly string[] = []): Promise<void> {
  const validators = network.names('validator');
  await load.finish();
  await reads.finish();
  expect(load.refused).toEqual([]);
  await network.level(validators, load.highestAcknowledged());
  await reads.everywhere();
  for (const name of validators) {
    expect([name, historyFaults(await chainOf(network, name), load.acknowledged)]).toEqual([name, []]);
  }
  expect(reads.refused).toEqual([]);
  const { acknowledged, submissions } = load;
  const { readings } = reads;
  expect(linearizabilityFaults({ acknowledged, submissions, readings, validators, wrongClocks })).toEqual([]);
  const ballots = seenBallots(network);
  expect(ballotFaults(ballots)).toEqual([]);
  expect(convictions(network)).toEqual([]);
  const unanswered = JSON.stringify(Object.fromEntries(reads.unanswered));
  console.log(
    `${acknowledged.length} events acknowledged, ${readings.length} verified reads (not answered: ${unanswered}), ${ballots.length} ballots`,
  );
}
