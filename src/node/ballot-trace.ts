/**
 * What validators signed, as their logs at level `trace` tell it: a line for each ballot that leaves, written before it
 * does, and for each that comes in. Whoever holds the logs of all validators over all their lives can check the first
 * law of consensus over what was sent: of one kind, in one round, nobody signed two different things.
 */
import { sha256Hex, type Hash } from '../base/hash.ts';
import type { HotstuffMessage } from '../hotstuff/messages.ts';
import { decodeMessage } from '../hotstuff/wire.ts';
import type { Logger } from '../observability/log.ts';
import { proposalPreimage, timeoutPreimage, votePreimage } from '../qc/ballot.ts';

/** Two ballots are the same exactly when their digests are. */
export interface BallotFacts {
  readonly ballot: 'proposal' | 'vote' | 'timeout';
  readonly epoch: number;
  readonly round: number;
  /** SHA-256 of what was signed. */
  readonly digest: Hash;
  /** Of a timeout: the round of the highest certificate that its signer knew. */
  readonly highRound?: number;
}

/** Costs nothing below level `trace`. Peers are given by their index; this node's ballots for itself are traced too. */
export class BallotTrace {
  readonly #log: Logger;
  readonly #chainId: string;

  constructor(log: Logger, chainId: string) {
    this.#log = log;
    this.#chainId = chainId;
  }

  sent(to: number, message: HotstuffMessage): void {
    if (!this.#log.isLevelEnabled('trace')) return;
    const facts = ballotFacts(this.#chainId, message);
    if (facts !== undefined) this.#log.trace({ ...facts, to }, 'ballot sent');
  }

  /** @param encoded a message as it came, before anything of it was judged */
  received(from: number, encoded: Uint8Array): void {
    if (!this.#log.isLevelEnabled('trace')) return;
    const message = decodeMessage(this.#chainId, encoded);
    const facts = message.ok ? ballotFacts(this.#chainId, message.value) : undefined;
    if (facts !== undefined) this.#log.trace({ ...facts, from }, 'ballot received');
  }
}

/** @returns undefined for a message that is no ballot of its sender */
export function ballotFacts(chainId: string, message: HotstuffMessage): BallotFacts | undefined {
  switch (message.kind) {
    case 'proposal': {
      const { id, header } = message.block;
      const { epoch, round } = header;
      const digest = sha256Hex(proposalPreimage({ chainId, epoch }, { round, blockId: id }));
      return { ballot: 'proposal', epoch, round, digest };
    }
    case 'vote': {
      const { epoch, vote } = message;
      return { ballot: 'vote', epoch, round: vote.round, digest: sha256Hex(votePreimage({ chainId, epoch }, vote)) };
    }
    case 'timeout': {
      const { epoch, timeout } = message;
      const digest = sha256Hex(timeoutPreimage({ chainId, epoch }, timeout));
      return { ballot: 'timeout', epoch, round: timeout.round, digest, highRound: timeout.highRound };
    }
    default:
      return undefined;
  }
}
