/**
 * What validators signed, over all their lives, from the ballots that their logs trace (`src/node/ballot-trace.ts`).
 * A ballot is seen twice: by its signer before it leaves, and by each who received it. The two must agree, so that no
 * ballot escapes the check.
 */
import type { BallotFacts } from '../../src/node/ballot-trace.ts';
import type { TestNetwork } from './harness.ts';

export interface SeenBallot extends BallotFacts {
  /** Index of the signer. */
  readonly signer: number;
  readonly process: number;
  readonly seen: 'sent' | 'received';
}

interface TraceLine extends BallotFacts {
  readonly msg: string;
  readonly pid: number;
  readonly to?: number;
  readonly from?: number;
}

/** Validators' names by their index. */
export function validatorNames(network: TestNetwork): string[] {
  const validators = network.testnet.nodes.filter(({ role }) => role === 'validator');
  return validators.toSorted((a, b) => (a.peerId < b.peerId ? -1 : 1)).map(({ name }) => name);
}

/** In the order in which each validator wrote them, validator by validator. */
export function seenBallots(network: TestNetwork): SeenBallot[] {
  return validatorNames(network).flatMap((name, index) =>
    network
      .log(name)
      .split('\n')
      .flatMap((line) => seenIn(line, index)),
  );
}

function seenIn(line: string, writer: number): SeenBallot[] {
  if (!/"msg":"ballot (sent|received)"\}$/.test(line)) return [];
  const { msg, pid, from, ballot, epoch, round, digest, highRound } = JSON.parse(line) as TraceLine;
  const facts = { ballot, epoch, round, digest, ...(highRound === undefined ? {} : { highRound }) };
  return [
    msg === 'ballot sent'
      ? { ...facts, signer: writer, process: pid, seen: 'sent' }
      : { ...facts, signer: from as number, process: pid, seen: 'received' },
  ];
}

/** What validators themselves say to have caught another at: a pair of ballots of one round, both signed. */
export function convictions(network: TestNetwork): string[] {
  const lines = validatorNames(network).flatMap((name) => network.log(name).split('\n'));
  return lines.filter((line) => line.endsWith('"msg":"a validator signed two different ballots for a round"}'));
}

/**
 * What is wrong with these ballots, one sentence each:
 * two different ballots of one kind by one signer for one round; a vote or proposal first sent after the timeout of
 * its round, or after a vote for a later one; a ballot that was received and not traced by its signer.
 */
export function ballotFaults(ballots: readonly SeenBallot[]): string[] {
  return [...doubles(ballots), ...disorder(ballots), ...untraced(ballots)];
}

function doubles(ballots: readonly SeenBallot[]): string[] {
  const first = new Map<string, SeenBallot>();
  const faults = new Set<string>();
  for (const ballot of ballots) {
    const slot = `${ballot.ballot} of validator ${ballot.signer} in epoch ${ballot.epoch}, round ${ballot.round}`;
    const before = first.get(slot) ?? ballot;
    first.set(slot, before);
    if (before.digest !== ballot.digest) faults.add(`two different ballots: ${slot}`);
  }
  return [...faults];
}

/** Rounds of votes rise from one new vote to the next, and a round that was given up gets none. */
function disorder(ballots: readonly SeenBallot[]): string[] {
  const faults: string[] = [];
  const lastVoted = new Map<number, number>();
  const known = new Set<string>();
  for (const { ballot, digest, round, seen, signer } of ballots) {
    if (seen !== 'sent' || ballot === 'proposal' || known.has(`${signer} ${digest}`)) continue;
    known.add(`${signer} ${digest}`);
    const last = lastVoted.get(signer) ?? 0;
    // A round may be given up after the vote for it, never the other way round.
    const lawful = ballot === 'vote' ? round > last : round >= last;
    if (!lawful) faults.push(`validator ${signer} sent a new ${ballot} for round ${round} after round ${last}`);
    lastVoted.set(signer, Math.max(last, round));
  }
  return faults;
}

function untraced(ballots: readonly SeenBallot[]): string[] {
  const sent = new Set(
    ballots.filter(({ seen }) => seen === 'sent').map(({ signer, digest }) => `${signer} ${digest}`),
  );
  const received = ballots.filter(({ seen }) => seen === 'received');
  const missing = received.filter(({ signer, digest }) => !sent.has(`${signer} ${digest}`));
  return missing.map(({ ballot, round, signer }) => `validator ${signer} sent a ${ballot} of round ${round} untraced`);
}
